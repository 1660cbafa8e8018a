import { withCluster, type ClusterBench } from '../bench-cluster.ts';
import { dagSource, shapes } from '../dag-files.ts';
import { quantile, round } from '../host.ts';
import { legsOf } from '../legs.ts';
import type { BenchOptions } from '../options.ts';

const SINGLE_RUNS = 100;

/** As `three`, over the services as processes. */
export function threeOnCluster(options: BenchOptions): Promise<object> {
  const runs = options.runs ?? 1_000;
  return withCluster(options, { 'three.ts': dagSource('three', shapes.chain(3), options.body) }, async (bench) => {
    await together(bench, 'three', 300);
    for (let i = 0; i < 20; i++) await together(bench, 'three', 1);
    const { seconds, cpu } = await withCpu(bench, () => together(bench, 'three', runs));
    const singles: { began: number; ended: number; ms: number }[] = [];
    for (let i = 0; i < SINGLE_RUNS; i++) {
      const began = Date.now();
      const ms = (await together(bench, 'three', 1)) * 1_000;
      singles.push({ began, ended: Date.now(), ms });
    }
    const latencies = singles.map(({ ms }) => ms).sort((a, b) => a - b);
    const streams = bench.endedRuns.slice(-SINGLE_RUNS);
    const moments = await Promise.all(streams.map((stream) => bench.moments(stream)));
    const legs = legsOf(singles.map((single, i) => ({ ...single, moments: moments[i]! })));
    const figures = { seconds: round(seconds, 3), perSecond: Math.round(runs / seconds) };
    const quantiles = { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
    return { scenario: 'three', cluster: true, size: runs, body: options.body, ...figures, ...quantiles, legs, cpu };
  });
}

/** As `mapped-like`, over the services as processes. */
export function mappedLikeOnCluster(options: BenchOptions): Promise<object> {
  const tasks = options.tasks ?? 10_000;
  const source = dagSource('mapped_like', shapes.independent(tasks), options.body);
  return withCluster(options, { 'mapped_like.ts': source }, async (bench) => {
    const { seconds, cpu } = await withCpu(bench, () => together(bench, 'mapped_like', 1));
    const figures = { seconds: round(seconds, 3), perSecond: Math.round(tasks / seconds) };
    return { scenario: 'mapped-like', cluster: true, size: tasks, body: options.body, ...figures, cpu };
  });
}

/** Seconds from the first command until the end of the last run is durable. */
async function together(bench: ClusterBench, dagId: string, runs: number): Promise<number> {
  const end = bench.ended(runs);
  const begin = performance.now();
  await Promise.all(Array.from({ length: runs }, () => bench.trigger(dagId)));
  await end;
  return (performance.now() - begin) / 1_000;
}

/** With the seconds of CPU that each kind of process has used meanwhile. */
async function withCpu(
  bench: ClusterBench,
  work: () => Promise<number>,
): Promise<{ readonly seconds: number; readonly cpu: object }> {
  const before = bench.cpu();
  const seconds = await work();
  const after = Object.entries(bench.cpu());
  return { seconds, cpu: Object.fromEntries(after.map(([kind, used]) => [kind, round(used - (before[kind] ?? 0))])) };
}
