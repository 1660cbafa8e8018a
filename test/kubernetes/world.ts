import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedBus, fileBundleStore, fileLogStore, systemClock } from '@rondo/adapter-embedded';
import { grpcSessionHost } from '@rondo/adapter-grpc';
import { combineHosts, kubernetesHost, type KubernetesOptions } from '@rondo/adapter-kubernetes';
import { BusCommands, Gateway, Scheduler } from '@rondo/application';
import type { DagCommand } from '@rondo/contracts';
import type { DagVersion, TaskDefinition } from '@rondo/domain';
import type { AttemptServices, RecordedEvent } from '@rondo/ports';
import { aDefinition, memoryEventStore } from '@rondo/testing';
import { Kubelet, type KubeletOptions } from '../../tools/services/kubernetes/kubelet.ts';
import { memoryBlobs } from '../application/harness.ts';
import { openCluster, QUICK, until, type Cluster } from './kit.ts';

const ROOT = join(import.meta.dirname, '../..');
const PARTITIONS = 2;
const clock = systemClock();
const ids = { uuid: randomUUID };

/** A scheduler, gateways one after the other, a cluster, and nodes that run its pods as processes. */
export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'rondo-cluster-'));
  readonly bus = embeddedBus({ partitions: PARTITIONS, onError: () => undefined });
  readonly store = memoryEventStore();
  readonly blobs = memoryBlobs();
  readonly bundles = fileBundleStore({ folder: join(this.folder, 'bundles'), blobs: this.blobs });
  readonly logs = fileLogStore(join(this.folder, 'logs'));
  readonly commands = new BusCommands(this.bus, clock, ids);
  readonly scheduler = new Scheduler({
    ...{ store: this.store, bus: this.bus, blobs: this.blobs, clock, ids },
    cluster: { scheduler: 's' },
  });
  readonly notices: string[] = [];
  cluster!: Cluster;
  gateway: Gateway | undefined;
  #port = 0;
  #count = 0;
  readonly #kubelets: Kubelet[] = [];

  async open(): Promise<this> {
    this.cluster = await openCluster({ bookmarkMs: 200 });
    this.#port = await freePort();
    mkdirSync(join(this.folder, 'work'));
    await this.commands.start();
    await this.scheduler.start();
    return this;
  }

  async close(): Promise<void> {
    await this.gateway?.stop(0);
    await Promise.all(this.#kubelets.map((kubelet) => kubelet.stop()));
    await this.scheduler.stop();
    await this.commands.stop();
    await this.bus.close();
    await this.logs.close();
    await this.cluster.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  node(options: KubeletOptions = {}): Kubelet {
    const kubelet = new Kubelet(this.cluster.api, { env: { TMPDIR: join(this.folder, 'work') }, ...options });
    this.#kubelets.push(kubelet);
    return kubelet;
  }

  async startGateway(leaseMs: number, change: Partial<KubernetesOptions> = {}): Promise<void> {
    const address = `127.0.0.1:${this.#port}`;
    const onNotice = (text: string): void => void this.notices.push(text);
    const kubernetes = kubernetesHost({
      ...{ installation: 'test', gateways: [address], image: 'rondo:1', patience: QUICK, tickMs: 50 },
      cluster: { kubeconfig: { text: this.cluster.server.kubeconfig } },
      command: [
        ...[process.execPath, '--disable-warning=ExperimentalWarning'],
        ...['--import', join(ROOT, 'tools/nest-hook.mjs'), join(import.meta.dirname, 'pod-worker.ts')],
      ],
      args: [],
      template: { spec: { containers: [{ name: 'attempt', workingDir: ROOT }] } },
      logs: this.logs,
      onNotice,
      ...change,
    });
    const workers = grpcSessionHost({ listen: address, logs: this.logs, bundles: this.bundles, onNotice });
    this.gateway = new Gateway({
      ...{ store: this.store, bus: this.bus, clock, host: combineHosts(workers, kubernetes) },
      cluster: {
        ...{ gateway: `g${++this.#count}`, release: '1', ids, monotonic: () => performance.now() },
        ...{ leaseMs, shards: PARTITIONS, services: NO_SERVICES, onProblem: onNotice },
      },
    });
    await this.gateway.start();
  }

  /** `bodies`: of the tasks, as code of the DAG file. */
  async publish(
    dagId: string,
    tasks: readonly TaskDefinition[],
    bodies: Readonly<Record<string, string>>,
  ): Promise<void> {
    const lines = Object.entries(bodies).map(([id, body]) => `  task('${id}', async (ctx) => { ${body} });`);
    const code = `import { appendFileSync, existsSync } from 'node:fs';\nimport { dag, task } from '@rondo/sdk';\nconst folder = ${JSON.stringify(join(this.folder, 'work'))};\nconst say = (text) => appendFileSync(folder + '/said', text + '\\n');\nconst sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));\nexport default dag('${dagId}', {}, () => {\n${lines.join('\n')}\n});\n`;
    const file = `${dagId}.ts`;
    const hash = await this.bundles.putBundle(new Map([[file, Buffer.from(code)]]));
    const definition = aDefinition(dagId, tasks);
    const bundle = { hash, file };
    const version = await this.blobs.put(Buffer.from(JSON.stringify({ definition, bundle } satisfies DagVersion)));
    await this.send(dagId, { type: 'publishVersion', version, definition, bundle });
    await this.send(dagId, { type: 'triggerRun', runType: 'manual', triggeredBy: 'user', runId: 'r' });
  }

  async send(dagId: string, command: DagCommand): Promise<void> {
    const answer = await this.commands.send({ dagId, actor: { kind: 'user', name: 'ada' }, command }, 10_000);
    if (!answer.ok) throw new Error(answer.message);
  }

  // What events say, of whatever kind.
  // oxlint-disable typescript/no-explicit-any
  /** Events of the DAG's run, with what they say of one task. */
  events(
    dagId: string,
    taskId?: string,
  ): readonly { readonly type: string; readonly data: Readonly<Record<string, any>> }[] {
    const own = this.store.events.filter(({ stream }: RecordedEvent) => stream === `dagRun-${dagId}:r`);
    const parsed = own.map(({ type, data }) => ({ type, data: JSON.parse(data) as Readonly<Record<string, any>> }));
    return taskId === undefined ? parsed : parsed.filter(({ data }) => data.taskId === taskId);
  }

  // oxlint-enable typescript/no-explicit-any

  types(dagId: string, taskId?: string): readonly string[] {
    return this.events(dagId, taskId).map(({ type }) => type);
  }

  async ended(dagId: string): Promise<string> {
    const find = (): string | undefined =>
      this.types(dagId).find((type) => type === 'RunSucceeded' || type === 'RunFailed');
    await until(() => find() !== undefined, 60_000);
    return find()!;
  }
}

const NO_SERVICES: AttemptServices = {
  variable: async () => undefined,
  connection: async () => undefined,
  xcom: async () => undefined,
  xcomList: async () => ({ values: [], total: 0 }),
  putBlob: async () => '',
  getBlob: async () => undefined,
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
