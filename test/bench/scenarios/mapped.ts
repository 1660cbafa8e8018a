import { ACTOR, meterOf, withPlatform, type Bench } from '../bench-platform.ts';
import { rssMiB, round } from '../host.ts';
import type { BenchOptions } from '../options.ts';

/** A list, a task for each of its elements, and one that takes what all of them returned. */
const flat = (dagId: string, n: number): string => `import { Dag, task } from '@rondo/sdk';
export default new Dag({ id: '${dagId}', maxActiveTasks: 200_000, isPausedUponCreation: false }, () => {
  const list = task('list', () => Array.from({ length: ${n} }, (_, i) => i));
  const each = task('each', (ctx, x: number) => x + 1);
  const count = task('count', (ctx, all: readonly number[]) => all.length);
  count(each.expand(list()));
});
`;

/** A group for each of g elements, in it g mapped instances. */
const nested = (dagId: string, g: number): string => `import { Dag, task, taskGroup } from '@rondo/sdk';
export default new Dag({ id: '${dagId}', maxActiveTasks: 200_000, isPausedUponCreation: false }, () => {
  const outer = task('outer', () => Array.from({ length: ${g} }, (_, i) => i));
  taskGroup('g').expand({ x: outer() }, ({ x }) => {
    const inner = task('inner', (ctx, y: number) => Array.from({ length: ${g} }, (_, i) => y * ${g} + i));
    const each = task('each', (ctx, z: number) => z);
    const sum = task('sum', (ctx, all: readonly number[]) => all.length);
    sum(each.expand(inner(x)));
  });
});
`;

/** One task mapped N times, the same at a hundredth, and 100 mapped groups of 100 mapped instances; then a clear of all N. */
export async function mapped(options: BenchOptions): Promise<object> {
  const tasks = options.tasks ?? 100_000;
  const small = Math.max(10, Math.floor(tasks / 100));
  const files = {
    'small.ts': flat('small', small),
    'large.ts': flat('large', tasks),
    'groups.ts': nested('groups', 100),
  };
  return withPlatform(options, files, async (bench) => {
    await timed(bench, 'small');
    const ofSmall = [await timed(bench, 'small'), await timed(bench, 'small'), await timed(bench, 'small')].toSorted(
      (a, b) => a.seconds - b.seconds,
    );
    const groups = await timed(bench, 'groups');
    const measured = meterOf(bench.platform);
    const rss = peak();
    const large = await timed(bench, 'large');
    const facts = measured(tasks, large.seconds);
    const mostMiB = rss.stop();
    const clear = await clearAll(bench, large.runId);
    const costUs = { [small]: cost(ofSmall[1]!.seconds, small), [tasks]: cost(large.seconds, tasks) };
    return {
      scenario: 'mapped',
      size: tasks,
      seconds: round(large.seconds),
      perSecond: Math.round(tasks / large.seconds),
      costUsPerInstance: costUs,
      growth: round(costUs[tasks]! / costUs[small]!),
      groups: { instances: 10_201, seconds: round(groups.seconds), costUs: cost(groups.seconds, 10_201) },
      mostMiB,
      clear,
      ...facts,
    };
  });
}

const cost = (seconds: number, instances: number): number => round((seconds / instances) * 1e6, 1);

async function timed(bench: Bench, dagId: string): Promise<{ readonly runId: string; readonly seconds: number }> {
  const end = bench.ended(1);
  const begin = performance.now();
  const runId = await bench.trigger(dagId);
  await end;
  await bench.caughtUp();
  return { runId, seconds: (performance.now() - begin) / 1_000 };
}

/** The most memory that the platform's process had while it was looked at. */
function peak() {
  let most = rssMiB();
  const timer = setInterval(() => {
    most = Math.max(most, rssMiB());
  }, 50);
  return {
    stop: (): number => {
      clearInterval(timer);
      return most;
    },
  };
}

/** Clears every instance of a run at once; what the decision wrote, and how long its answer took. The run is aborted then. */
async function clearAll({ platform }: Bench, runId: string): Promise<object> {
  const after = await platform.store.head();
  const begin = performance.now();
  const send = (command: Parameters<typeof platform.commands.send>[0]['command']) =>
    platform.commands.send({ dagId: 'large', actor: ACTOR, command }, 600_000);
  const answer = await send({ type: 'clearTasks', runId, selection: { taskIds: ['each'] } });
  if (!answer.ok) throw new Error(answer.message);
  const ms = round(performance.now() - begin, 0);
  let [events, bytes] = [0, 0];
  for await (const page of platform.store.readAll(after, { filter: { eventTypes: ['TaskCleared'] } }))
    for (const event of page) {
      events++;
      bytes += event.data.length;
    }
  const ended = await send({ type: 'abortRun', runId });
  if (!ended.ok) throw new Error(ended.message);
  return { ms, events, bytes };
}
