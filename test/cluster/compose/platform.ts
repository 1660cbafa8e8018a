/** deploy/compose.yaml as it is, with the engines' images that can be had here. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { imageOf } from '../../../tools/services/containers.ts';
import { tools } from '../../../tools/deploy/toolbox.mjs';

const checkout = resolve(import.meta.dirname, '../../..');
const SERVICES = ['scheduler', 'gateway-1', 'gateway-2', 'worker', 'alerting', 'query'];
/** What tools/services/images/build.mjs makes. */
const STAND_IN = 'rondo-test/';

export interface ComposePlan {
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export const token = randomBytes(24).toString('hex');

/** A text: why it cannot run here. */
export async function composePlan(): Promise<ComposePlan | string> {
  const images: string[] = [];
  for (const engine of ['kafka', 'postgres', 'eventstoredb'] as const) {
    const image = await imageOf(engine);
    if (image === undefined) return `no container engine answers, or it has no image of ${engine}`;
    images.push(image);
  }
  const [kafka, postgres, eventStore] = images as [string, string, string];
  const files = ['deploy/compose.yaml', 'test/cluster/compose/override.yaml'];
  if (eventStore.startsWith(STAND_IN)) files.push('test/cluster/compose/stand-in.yaml');
  return {
    files: files.map((file) => join(checkout, file)),
    env: {
      COMPOSE_PROJECT_NAME: `rondo-test-${randomBytes(4).toString('hex')}`,
      KAFKA_IMAGE: kafka,
      POSTGRES_IMAGE: postgres,
      EVENTSTORE_IMAGE: eventStore,
      RONDO_IMAGE: process.env['RONDO_IMAGE'] ?? 'rondo:test',
      RONDO_SECRET_KEY: randomBytes(32).toString('base64'),
      RONDO_API_TOKEN: token,
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly out: string;
}

/** What it prints, and how it ended. */
function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Answer> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: checkout, env: { ...process.env, ...env } });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.once('error', fail);
    child.once('exit', (status) => done({ status: status ?? 1, out }));
  });
}

export class ComposedPlatform {
  private readonly plan: ComposePlan;

  constructor(plan: ComposePlan) {
    this.plan = plan;
  }

  async compose(...args: readonly string[]): Promise<string> {
    const files = this.plan.files.flatMap((file) => ['--file', file]);
    const { status, out } = await run(tools.compose(), [...files, ...args], this.plan.env);
    if (status !== 0) throw new Error(`docker compose ${args.join(' ')}:\n${out}`);
    return out;
  }

  /** Builds Rondo's image, unless RONDO_IMAGE names one; resolves when every service is healthy. */
  async start(): Promise<void> {
    if (process.env['RONDO_IMAGE'] === undefined) await this.compose('build', 'query');
    await this.compose('up', '--detach', '--no-build', '--wait', ...SERVICES);
  }

  /** HOST:PORT where a port of a service is published. */
  async addressOf(service: string, port: number): Promise<string> {
    return (await this.compose('port', service, String(port))).trim();
  }

  async cli(...args: readonly string[]): Promise<Answer> {
    const hook = join(checkout, 'tools/nest-hook.mjs');
    const main = join(checkout, 'apps/cli/src/main.ts');
    const env = { RONDO_URL: `http://${await this.addressOf('query', 8080)}`, RONDO_API_TOKEN: token };
    return run(process.execPath, ['--import', hook, main, ...args], env);
  }

  /** Also one that did not start. */
  async remove(): Promise<void> {
    await this.compose('down', '--volumes', '--timeout', '20');
  }
}
