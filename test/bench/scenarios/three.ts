import { meterOf, withPlatform, type Bench } from '../bench-platform.ts';
import { dagSource, shapes } from '../dag-files.ts';
import { quantile, round } from '../host.ts';
import type { BenchOptions } from '../options.ts';

const SINGLE_RUNS = 200;

/** Runs of three steps: all asked for together give the throughput, then one at a time give the latency. */
export function three(options: BenchOptions): Promise<object> {
  const runs = options.runs ?? 2_000;
  return withPlatform(options, { 'three.ts': dagSource('three', shapes.chain(3), options.body) }, async (bench) => {
    await together(bench, 300);
    for (let i = 0; i < 20; i++) await single(bench);
    const measured = meterOf(bench.platform);
    const seconds = await together(bench, runs);
    const facts = measured(runs * 3, seconds);
    const latencies: number[] = [];
    for (let i = 0; i < SINGLE_RUNS; i++) latencies.push(await single(bench));
    latencies.sort((a, b) => a - b);
    return {
      scenario: 'three',
      size: runs,
      body: options.body,
      seconds: round(seconds, 3),
      perSecond: Math.round(runs / seconds),
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      ...facts,
    };
  });
}

async function together(bench: Bench, runs: number): Promise<number> {
  const end = bench.ended(runs);
  const begin = performance.now();
  await Promise.all(Array.from({ length: runs }, () => bench.trigger('three')));
  await end;
  await bench.caughtUp();
  return (performance.now() - begin) / 1_000;
}

/** Milliseconds from the command until the run's end is durable. */
async function single(bench: Bench): Promise<number> {
  const end = bench.ended(1);
  await bench.platform.store.head();
  const begin = performance.now();
  await bench.trigger('three');
  await end;
  return performance.now() - begin;
}
