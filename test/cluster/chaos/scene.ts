import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type ClusterOptions } from '../../../tools/cluster/cluster.ts';
import { chaosDag, readBodies, type BodyLine } from './bodies.ts';

export interface SceneOptions extends Omit<ClusterOptions, 'folder' | 'dags' | 'say' | 'containers'> {
  readonly tasks: number;
  readonly bodyMs: number;
}

/** A cluster with the DAG `chaos`, whose bodies write to a file outside the platform. */
export class Scene {
  readonly cluster: Cluster;
  private readonly folder: string;

  constructor({ tasks, bodyMs, ...options }: SceneOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'rondo-chaos-'));
    // The database may run as another user, who has to reach its own folder.
    chmodSync(this.folder, 0o711);
    const dags = join(this.folder, 'dags');
    mkdirSync(dags);
    writeFileSync(join(dags, 'chaos.ts'), chaosDag({ log: this.log, tasks, bodyMs }));
    const folder = join(this.folder, 'cluster');
    this.cluster = new Cluster({ ...options, folder, dags, containers: true, say: () => undefined });
  }

  /** With `RONDO_KEEP` what it has written stays. */
  async stop(): Promise<void> {
    await this.cluster.stop();
    if (process.env['RONDO_KEEP'] === undefined) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    else process.stderr.write(`kept: ${this.folder}\n`);
  }

  async bodies(): Promise<readonly BodyLine[]> {
    return readBodies(this.log).catch(() => []);
  }

  /** Resolves when the run is asked for; the DAG may not be there yet. */
  async trigger(runId: string): Promise<void> {
    await until(() => this.ask('/dags/chaos'));
    await until(() => this.ask('/dags/chaos/runs', { runId }));
  }

  /** `success` or `failed`. */
  async ended(runId: string): Promise<string> {
    return until(async () => {
      const state = (await this.ask(`/dags/chaos/runs/${runId}`))?.['state'];
      return state === 'success' || state === 'failed' ? state : undefined;
    });
  }

  private get log(): string {
    return join(this.folder, 'bodies.log');
  }

  /** Undefined: there is no such thing yet, or nobody answers. */
  private async ask(path: string, body?: object): Promise<Record<string, unknown> | undefined> {
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(10_000);
    const url = `${this.cluster.url}/api/v1${path}`;
    const answer = await fetch(url, { signal, ...(body === undefined ? {} : init) }).catch(() => undefined);
    return answer?.ok === true ? ((await answer.json()) as Record<string, unknown>) : undefined;
  }
}

export async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(300);
  }
}
