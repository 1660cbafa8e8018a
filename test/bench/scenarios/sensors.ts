import { fork, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withPlatform, type Bench } from '../bench-platform.ts';
import { hostFacts, quantile, round } from '../host.ts';
import type { BenchOptions } from '../options.ts';
import type { PollCounts } from './poll-server.ts';

const INTERVAL_MS = 60_000;
const SETTLE_MS = 65_000;
const WARM = 2_000;

/** N waiting HTTP sensors: what they cost, what is asked, and what a poke that blocks does to those of another DAG file. */
export async function sensors(options: BenchOptions): Promise<object> {
  const count = options.tasks ?? 10_000;
  const seconds = options.seconds ?? 180;
  const server = await Server.start(options.workers);
  try {
    const files = {
      'sensors.ts': sensorsDag(count, server.url),
      'warm.ts': warmDag(server.url),
      'gate.ts': gateDag(options.workers, server.url),
      'blocker.ts': BLOCKER,
    };
    return await withPlatform(options, files, (bench) => measure(bench, server, count, seconds));
  } finally {
    server.stop();
  }
}

async function measure(bench: Bench, server: Server, count: number, seconds: number): Promise<object> {
  const { platform } = bench;
  const own = (): number[] => descendants(process.pid).filter((pid) => pid !== server.pid);
  await run(bench, 'warm');
  await run(bench, 'gate');
  await sleep(2_000);
  const without = memoryOf(own());
  const waiting = deferred(bench, count);
  const begin = performance.now();
  await bench.trigger('sensors');
  await waiting;
  const seconds0 = (performance.now() - begin) / 1_000;
  await sleep(SETTLE_MS);

  const quiet = await window(bench, server, own, seconds);
  await run(bench, 'gate');
  await server.counts();
  await bench.trigger('blocker');
  const disturbed = await window(bench, server, own, Math.min(seconds, 120));
  const due = (count * seconds * 1_000) / INTERVAL_MS;
  return {
    scenario: 'sensors',
    size: count,
    seconds,
    secondsUntilAllWait: round(seconds0),
    pollsDue: Math.round(due),
    polls: quiet.polls,
    pollsOfDue: round(quiet.polls / due, 4),
    sensorsPolled: quiet.sensors,
    offIntervalP50Ms: quantile(quiet.offByMs, 0.5),
    offIntervalP99Ms: quantile(quiet.offByMs, 0.99),
    connections: quiet.connections,
    events: quiet.events,
    cpuPercentOfACore: quiet.cpuPercentOfACore,
    memoryMoreMiB: sum(quiet.memoryMiB) - sum(without),
    memoryMiB: { without, waiting: quiet.memoryMiB },
    besideABlockingPoke: {
      pollsOfDue: round(disturbed.polls / ((count * Math.min(seconds, 120) * 1_000) / INTERVAL_MS), 4),
      offIntervalP99Ms: quantile(disturbed.offByMs, 0.99),
    },
    slotsFreeMeanwhile: true,
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
    childPids: platform.childPids().length,
    host: hostFacts(),
  };
}

/** What happens in so many seconds. */
async function window(bench: Bench, server: Server, own: () => number[], seconds: number) {
  await server.counts();
  const head = await bench.platform.store.head();
  const cpu = cpuMs(own());
  const begin = performance.now();
  await sleep(seconds * 1_000);
  const counts = await server.counts();
  const wall = performance.now() - begin;
  const pids = own();
  return {
    ...counts,
    events: (await bench.platform.store.head()) - head,
    cpuPercentOfACore: round(((cpuMs(pids) - cpu) / wall) * 100),
    memoryMiB: memoryOf(pids),
  };
}

async function run(bench: Bench, dagId: string): Promise<void> {
  const end = bench.ended(1);
  await bench.trigger(dagId);
  await end;
}

function deferred({ platform }: Bench, count: number): Promise<void> {
  let left = count;
  return new Promise((resolve, reject) => {
    const subscription = platform.store.subscribe({
      name: 'bench-deferred',
      after: 0,
      filter: { streamPrefixes: ['dagRun-'], eventTypes: ['TaskDeferred'] },
      onBatch: (events) => {
        left -= events.length;
        if (left > 0) return;
        void subscription.stop();
        resolve();
      },
      onDrop: reject,
    });
  });
}

class Server {
  readonly #process: ChildProcess;
  readonly url: string;

  private constructor(child: ChildProcess, port: number) {
    this.#process = child;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(slots: number): Promise<Server> {
    const child = fork(fileURLToPath(new URL('./poll-server.ts', import.meta.url)), [
      String(slots),
      String(INTERVAL_MS),
    ]);
    const { port } = await message<{ port: number }>(child);
    return new Server(child, port);
  }

  get pid(): number {
    return this.#process.pid!;
  }

  counts(): Promise<PollCounts> {
    const answer = message<PollCounts>(this.#process);
    this.#process.send('counts');
    return answer;
  }

  stop(): void {
    this.#process.disconnect();
  }
}

function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve) => child.once('message', (value) => resolve(value as T)));
}

/** This process and all that descend from it (Linux). */
function descendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    const stat = read(`/proc/${name}/stat`);
    if (stat !== '') parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const found = [root];
  for (let i = 0; i < found.length; i++) for (const [pid, parent] of parents) if (parent === found[i]) found.push(pid);
  return found;
}

/** What each process holds, the platform's first; pages that several share are parted among them. */
function memoryOf(pids: readonly number[]): readonly number[] {
  return pids.map((pid) =>
    Math.round(Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1_024),
  );
}

const sum = (all: readonly number[]): number => all.reduce((total, each) => total + each, 0);

function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
  }, 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const sensorsDag = (count: number, url: string): string => `import { Dag } from '@rondo/sdk';
import { HttpSensor } from '@rondo/operators';
export default new Dag({ id: 'sensors', maxActiveTasks: 200_000, isPausedUponCreation: false }, () => {
  const url = Array.from({ length: ${count} }, (_, i) => '${url}/poll/' + i);
  HttpSensor.partial({ id: 's', pokeInterval: '${INTERVAL_MS}ms' }).expand({ url });
});
`;
/** As many tasks as make the platform what it is when sensors begin to wait. */
const warmDag = (url: string): string => `import { Dag } from '@rondo/sdk';
import { HttpSensor } from '@rondo/operators';
export default new Dag({ id: 'warm', maxActiveTasks: 200_000, isPausedUponCreation: false }, () => {
  HttpSensor.partial({ id: 'w' }).expand({ url: Array.from({ length: ${WARM} }, () => '${url}/warm') });
});
`;
const gateDag = (slots: number, url: string): string => `import { Dag, task } from '@rondo/sdk';
export default new Dag({ id: 'gate', isPausedUponCreation: false }, () => {
  for (let i = 0; i < ${slots}; i++) task('g' + i, async () => (await fetch('${url}/gate', { headers: { connection: 'close' } })).text());
});
`;
const BLOCKER = `import { Dag, sensor } from '@rondo/sdk';
export default new Dag({ id: 'blocker', isPausedUponCreation: false }, () => {
  sensor('blocks', () => { for (const until = Date.now() + 4_000; Date.now() < until;); return false; }, { pokeInterval: '1s' });
});
`;
