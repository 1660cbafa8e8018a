import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemIds } from '@rondo/adapter-embedded';
import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import { kafkaBus } from '@rondo/adapter-kafka';
import { BusCommands } from '@rondo/application';
import { Cluster, missingForCluster, PARTITIONS } from '../../tools/cluster/cluster.ts';
import { cpuOf } from './cpu.ts';
import type { RunMoment } from './legs.ts';
import type { BenchOptions } from './options.ts';

const ACTOR = { kind: 'user', name: 'bench' } as const;

export interface ClusterBench {
  trigger(dagId: string): Promise<void>;
  /** Resolves when so many more runs have ended, durably. */
  ended(runs: number): Promise<void>;
  /** The streams of the runs that have ended, in this order. */
  readonly endedRuns: readonly string[];
  /** What happened in a run. */
  moments(stream: string): Promise<readonly RunMoment[]>;
  /** Seconds of CPU used so far, by kind of process. */
  cpu(): Readonly<Record<string, number>>;
}

/** A cluster of processes with these DAG files, for as long as the work takes; stopped and removed after it. */
export async function withCluster<T>(
  options: BenchOptions,
  files: Readonly<Record<string, string>>,
  work: (bench: ClusterBench) => Promise<T>,
): Promise<T> {
  const missing = missingForCluster();
  if (missing.length > 0) throw new Error(`the cluster cannot run here, missing: ${missing.join('; ')}`);
  const dags = mkdtempSync(join(tmpdir(), 'rondo-bench-dags-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dags, name), text);
  const folder = mkdtempSync(join(tmpdir(), 'rondo-bench-cluster-'));
  const cluster = new Cluster({
    ...{ folder, dags, schedulers: 2, gateways: 2, workers: 2, slots: options.workers, firstPort: 7_900 },
    say: (text) => void process.stderr.write(`${text}\n`),
  });
  try {
    await cluster.start();
    return await measured(cluster, folder, Object.keys(files), work);
  } finally {
    await cluster.stop();
    if (!options.keep) cluster.remove();
    else process.stderr.write(`the cluster's folder is ${folder}\n`);
  }
}

async function measured<T>(
  cluster: Cluster,
  folder: string,
  files: readonly string[],
  work: (bench: ClusterBench) => Promise<T>,
): Promise<T> {
  const bus = kafkaBus({ brokers: cluster.kafka!.brokers, partitions: PARTITIONS });
  const store = eventStoreDb({ connectionString: cluster.eventStoreUrl });
  const commands = new BusCommands(bus, systemClock(), systemIds);
  await commands.start();
  const endedRuns: string[] = [];
  let waiting: { readonly at: number; readonly resolve: () => void } | undefined;
  const subscription = store.subscribe({
    name: 'bench',
    after: await store.head(),
    filter: { streamPrefixes: ['dagRun-'], eventTypes: ['RunSucceeded', 'RunFailed'] },
    onBatch: (events) => {
      for (const { type, stream } of events) if (type === 'RunFailed') throw new Error(`${stream} failed`);
      for (const { stream } of events) endedRuns.push(stream);
      if (waiting !== undefined && endedRuns.length >= waiting.at) waiting.resolve();
    },
  });
  try {
    await published(cluster.url, files.length);
    return await work({
      trigger: async (dagId) => {
        const command = { type: 'triggerRun', runType: 'manual', triggeredBy: 'api' } as const;
        const answer = await commands.send({ dagId, actor: ACTOR, command }, 120_000);
        if (!answer.ok) throw new Error(answer.message);
      },
      ended: (runs) => new Promise((resolve) => void (waiting = { at: endedRuns.length + runs, resolve })),
      endedRuns,
      moments: async (stream) => {
        const pages = await Array.fromAsync(store.readStream(stream));
        return pages.flat().map(({ type, data }) => ({ type, at: (JSON.parse(data) as { readonly at: number }).at }));
      },
      cpu: () => cpuByKind(cluster, folder),
    });
  } finally {
    await subscription.stop();
    await commands.stop();
    await Promise.all([bus.close(), store.close()]);
  }
}

/** One DAG of each file. */
async function published(url: string, dags: number): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/api/v1/dags`);
    if (((await response.json()) as { readonly total: number }).total >= dags) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function cpuByKind(cluster: Cluster, folder: string): Record<string, number> {
  const pids: Record<string, number> = { kafka: cluster.kafka!.pid! };
  for (const { name, pid } of [...cluster.services, ...(cluster.eventStore === undefined ? [] : [cluster.eventStore])])
    if (pid !== undefined) pids[name] = pid;
  pids['postgres'] = Number.parseInt(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8'), 10);
  const { user, system } = process.cpuUsage();
  const sums: Record<string, number> = { bench: (user + system) / 1e6 };
  for (const [name, seconds] of Object.entries(cpuOf(pids))) {
    const kind = name.replace(/-\d+$/, '');
    sums[kind] = (sums[kind] ?? 0) + seconds;
  }
  return sums;
}
