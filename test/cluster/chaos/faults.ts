import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/cluster/cluster.ts';
import type { ServiceProcess } from '../../../tools/cluster/processes.ts';

/** A fault, and when it was over. Epoch milliseconds. */
export interface Fault {
  readonly what: string;
  readonly at: number;
  readonly over: number;
}

const KINDS = ['scheduler', 'gateway', 'worker', 'query', 'alerting'] as const;
/** Between two faults: work goes on. */
const CALM_MS = 4_000;

export interface FaultPlan {
  /** What a process that is stopped sleeps through: longer than the lease and the broker's session. */
  readonly pauseMs: number;
  readonly brokerAwayMs: number;
}

/** Each service killed in turn and started again, one of each stopped past its lease and woken, the broker away for a while. */
export async function* faults(cluster: Cluster, { pauseMs, brokerAwayMs }: FaultPlan): AsyncGenerator<Fault> {
  for (const kind of KINDS) yield await timed(`kill ${kind}`, () => killed(first(cluster, kind)));
  for (const kind of KINDS) yield await timed(`stop ${kind}`, () => paused(last(cluster, kind), pauseMs));
  yield await timed('broker away', () => cluster.away('kafka', () => sleep(brokerAwayMs)));
  for (const service of cluster.services) if (!service.isRunning) service.start();
}

async function timed(what: string, run: () => Promise<void>): Promise<Fault> {
  const at = Date.now();
  await run();
  const over = Date.now();
  await sleep(CALM_MS);
  return { what, at, over };
}

/** As whoever supervises it would start it again. */
async function killed(service: ServiceProcess): Promise<void> {
  await service.kill();
  await sleep(3_000);
  service.start();
  await service.ready();
}

async function paused(service: ServiceProcess, forMs: number): Promise<void> {
  service.signal('SIGSTOP');
  await sleep(forMs);
  service.signal('SIGCONT');
}

function first(cluster: Cluster, kind: (typeof KINDS)[number]): ServiceProcess {
  return cluster.of(kind)[0]!;
}

function last(cluster: Cluster, kind: (typeof KINDS)[number]): ServiceProcess {
  return cluster.of(kind).at(-1)!;
}
