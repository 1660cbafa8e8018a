import { meterOf, withPlatform } from '../bench-platform.ts';
import { dagSource, shapes } from '../dag-files.ts';
import { quantile, round } from '../host.ts';
import type { BenchOptions } from '../options.ts';

/** One run of a shape, three times over after a warm-up: the middle one counts. */
async function oneRun(scenario: string, options: BenchOptions, tasks: number, shape: string): Promise<object> {
  const dagId = `bench_${scenario.replace('-', '_')}`;
  return withPlatform(
    options,
    {
      [`${dagId}.ts`]: dagSource(dagId, shape, options.body),
      'warm.ts': dagSource('warm', shapes.independent(50), options.body),
    },
    async (bench) => {
      const once = async (dag: string): Promise<number> => {
        const end = bench.ended(1);
        const begin = performance.now();
        await bench.trigger(dag);
        await end;
        await bench.caughtUp();
        return (performance.now() - begin) / 1_000;
      };
      await once('warm');
      await once(dagId);
      const measured = meterOf(bench.platform);
      const times: number[] = [];
      for (let i = 0; i < 3; i++) times.push(await once(dagId));
      const facts = measured(
        tasks * times.length,
        times.reduce((a, b) => a + b, 0),
      );
      times.sort((a, b) => a - b);
      const seconds = times[1]!;
      return {
        scenario,
        size: tasks,
        body: options.body,
        seconds: round(seconds, 4),
        perSecond: Math.round(tasks / seconds),
        p50Ms: quantile(
          times.map((t) => t * 1_000),
          0.5,
        ),
        p99Ms: quantile(
          times.map((t) => t * 1_000),
          0.99,
        ),
        allSeconds: times.map((t) => round(t, 4)),
        ...facts,
      };
    },
  );
}

export const chain = (options: BenchOptions): Promise<object> =>
  oneRun('chain', options, options.tasks ?? 40, shapes.chain(options.tasks ?? 40));
export const fan = (options: BenchOptions): Promise<object> =>
  oneRun('fan', options, (options.tasks ?? 1_000) + 2, shapes.fan(options.tasks ?? 1_000));

/** The same at a hundredth of the size too, so that the cost of a task can be compared. */
export async function mappedLike(options: BenchOptions): Promise<object> {
  const tasks = options.tasks ?? 10_000;
  const small = Math.max(100, Math.floor(tasks / 100));
  const one = (await oneRun('mapped-like', options, small, shapes.independent(small))) as { readonly seconds: number };
  const all = (await oneRun('mapped-like', options, tasks, shapes.independent(tasks))) as { readonly seconds: number };
  const costUs = { [small]: round((one.seconds / small) * 1e6, 1), [tasks]: round((all.seconds / tasks) * 1e6, 1) };
  return { ...all, costUsPerTask: costUs, growth: round(costUs[tasks]! / costUs[small]!) };
}
