import type { DagDefinition } from '@rondo/domain';
import { LiveTree, taskName, type ProgressOutput } from '@rondo/nest-platform';
import { runStream } from '@rondo/application';
import type { EventStore, ReadModels } from '@rondo/ports';
import type { Json } from '@rondo/kernel';

export interface WatchedRun {
  readonly state: 'success' | 'failed';
  readonly reason: string | null;
  readonly seconds: number;
  readonly events: number;
}

export interface WatchOptions {
  readonly store: EventStore;
  readonly readModels: ReadModels;
  readonly definition: DagDefinition;
  readonly runId: string;
  readonly out: ProgressOutput;
  /** Nothing is drawn. */
  readonly quiet: boolean;
}

const SHOWN_FAILURES = 10;
/** How long the rows may take to reach the end of a run. */
const CATCH_UP_MS = 600_000;

/** Draws a run until it has ended. Resolves when its end is in the read models too. */
export async function watchRun({
  store,
  readModels,
  definition,
  runId,
  out,
  quiet,
}: WatchOptions): Promise<WatchedRun> {
  const { dagId } = definition;
  const tree = quiet ? undefined : new LiveTree(out);
  const upstream = new Map(definition.tasks.map((t) => [t.taskId, t.upstream]));
  const draw = async (): Promise<void> => {
    const run = await readModels.run(dagId, runId);
    if (run === undefined || tree === undefined) return;
    const tasks = await readModels.taskInstances({ dagId, runId }, { offset: 0, limit: 1_000 });
    tree.update(
      run,
      tasks.items.map((t) => ({ ...t, upstream: upstream.get(t.taskId) ?? [] })),
    );
  };
  const stream = runStream(dagId, runId);
  await new Promise<void>((resolve, reject) => {
    const subscription = store.subscribe({
      name: `watch ${runId}`,
      after: 0,
      filter: { streamPrefixes: [stream] },
      onBatch: async (events, through) => {
        // Names of other streams may begin so too.
        const own = events.filter((e) => e.stream === stream);
        if (own.length === 0) return;
        const isOver = own.some((e) => e.type === 'RunSucceeded' || e.type === 'RunFailed');
        // On the way a picture may be late: the next one is right again.
        if (isOver) await readModels.settled(through, CATCH_UP_MS).then(draw);
        else await readModels.settled(through).then(draw, () => undefined);
        if (!isOver) return;
        resolve();
        void subscription.stop();
      },
      onDrop: reject,
    });
  });
  tree?.end();
  return summary(readModels, store, dagId, runId);
}

async function summary(readModels: ReadModels, store: EventStore, dagId: string, runId: string): Promise<WatchedRun> {
  const run = await readModels.run(dagId, runId);
  if (run === undefined || (run.state !== 'success' && run.state !== 'failed'))
    throw new Error(`run '${runId}' of DAG '${dagId}' is ${run?.state ?? 'unknown'} after its end`);
  let events = 0;
  for await (const page of store.readStream(runStream(dagId, runId))) events += page.length;
  const seconds = ((run.endedAt ?? 0) - run.queuedAt) / 1_000;
  return { state: run.state, reason: run.reason, seconds, events };
}

/** The report of the example: what its last task returned. */
export async function reportOf(readModels: ReadModels, dagId: string, runId: string, taskId: string): Promise<Json> {
  const rows = await readModels.xcoms(dagId, runId, taskId, '');
  return rows.find((r) => r.key === 'return_value')?.value ?? null;
}

/** What went wrong, task by task; the first ones of many. */
export async function failuresOf(readModels: ReadModels, dagId: string, runId: string): Promise<readonly string[]> {
  const failed = await readModels.taskInstances(
    { dagId, runId, state: ['failed'] },
    { offset: 0, limit: SHOWN_FAILURES },
  );
  const lines = failed.items.map((t) => `${taskName(t)}: ${t.error?.message ?? t.reason ?? 'no reason is known'}`);
  return failed.total > lines.length ? [...lines, `… and ${failed.total - lines.length} more`] : lines;
}
