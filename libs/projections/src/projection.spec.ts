import type {
  AssetRow,
  BackfillDateRow,
  BackfillRow,
  DagRow,
  DagVersionRow,
  InstanceRecord,
  RecordedEvent,
  RenderedFieldsRow,
  RowChanges,
  RowSource,
  RunRecord,
  TaskTryRow,
  XComRow,
} from '@rondo/ports';
import { randomHistory, RANDOM_DEFINITION, RANDOM_VERSION, record, seededRandom } from '@rondo/testing';
import { assert, integer, property, asyncProperty } from 'fast-check';
import { createProjector } from './projector.ts';
import { foldRunView, type RunView } from './run-view.ts';

/** Rows as a store would keep them: copies, by key. */
class Rows implements RowSource {
  readonly dagRows = new Map<string, DagRow>();
  readonly versionRows = new Map<string, DagVersionRow>();
  readonly runs = new Map<number, RunRecord>();
  readonly tasks = new Map<string, InstanceRecord>();
  readonly tries = new Map<string, TaskTryRow>();
  readonly xcoms = new Map<string, XComRow>();
  readonly rendered = new Map<string, RenderedFieldsRow>();
  readonly backfills = new Map<string, BackfillRow>();
  readonly dates = new Map<string, BackfillDateRow>();
  readonly assetRows = new Map<string, AssetRow>();
  readonly assetThings: unknown[] = [];
  readonly admin = new Map<string, unknown>();

  async runEvents(): Promise<readonly RecordedEvent[]> {
    return [];
  }

  write(changes: RowChanges): void {
    for (const dag of changes.dags) this.dagRows.set(dag.dagId, dag);
    for (const asset of changes.assets) this.assetRows.set(asset.name, asset);
    this.assetThings.push(
      ...changes.assetEvents,
      ...changes.assetAliases,
      ...changes.assetLinks,
      ...changes.assetQueue,
    );
    for (const version of changes.dagVersions) this.versionRows.set(version.version, version);
    for (const { runNo, run, dropped, tasks, tries, forgotten, xcoms, rendered } of changes.runs) {
      if (run !== undefined) this.runs.set(runNo, structuredClone(run));
      for (const { taskId, mapIndex } of dropped) this.tasks.delete(`${runNo}/${taskId}/${mapIndex}`);
      for (const { ...row } of tasks) {
        delete (row as { dirty?: boolean }).dirty;
        this.tasks.set(`${runNo}/${row.taskId}/${row.mapIndex}`, structuredClone(row));
      }
      for (const row of tries) this.tries.set(`${runNo}/${row.taskId}/${row.mapIndex}/${row.tryNumber}`, row);
      for (const { taskId, mapIndex, key } of forgotten) {
        const prefix = `${runNo}/${taskId}/${mapIndex}/`;
        for (const each of this.xcoms.keys())
          if (each === `${prefix}${key}` || (key === undefined && each.startsWith(prefix))) this.xcoms.delete(each);
      }
      for (const row of xcoms) this.xcoms.set(`${runNo}/${row.taskId}/${row.mapIndex}/${row.key}`, row);
      for (const row of rendered)
        this.rendered.set(`${runNo}/${row.taskId}/${row.mapIndex.join('.')}/${row.tryNumber}`, row);
    }
    for (const row of changes.backfills) this.backfills.set(`${row.dagId}/${row.backfillId}`, row);
    for (const row of changes.backfillDates) this.dates.set(`${row.dagId}/${row.backfillId}/${row.ordinal}`, row);
    for (const patch of [changes.variables, changes.connections, changes.importErrors, changes.pools])
      for (const [key, row] of patch as ReadonlyMap<string, unknown>)
        if (row === null) this.admin.delete(key);
        else this.admin.set(key, row);
  }

  async assets() {
    return [...this.assetRows.values()];
  }
  async backfill(dagId: string, backfillId: number) {
    return this.backfills.get(`${dagId}/${backfillId}`);
  }
  async dags() {
    return [...this.dagRows.values()];
  }
  async dagVersions() {
    return [...this.versionRows.values()];
  }
  async run(dagId: string, runId: string) {
    return [...this.runs.values()].find((run) => run.dagId === dagId && run.runId === runId);
  }
  async instances(runNo: number) {
    return [...this.tasks]
      .filter(([key]) => key.startsWith(`${runNo}/`))
      .map(([, row]) => row)
      .toSorted((a, b) => a.ordinal - b.ordinal);
  }
  async definition(version: string) {
    return version === RANDOM_VERSION ? RANDOM_DEFINITION : undefined;
  }

  view(run: RunRecord): RunView {
    const own = <T>(rows: ReadonlyMap<string, T>) =>
      [...rows].filter(([key]) => key.startsWith(`${run.runNo}/`)).map(([, row]) => row);
    return {
      run,
      tasks: own(this.tasks),
      tries: own(this.tries),
      xcoms: own(this.xcoms),
      rendered: own(this.rendered),
    };
  }
}

const sorted = (view: RunView | undefined) =>
  view === undefined
    ? undefined
    : Object.fromEntries(
        Object.entries(view).map(([key, rows]) => [
          key,
          Array.isArray(rows) ? rows.map((row) => JSON.stringify(row, Object.keys(row).toSorted())).toSorted() : rows,
        ]),
      );

/** Projects a history in batches of random size, sometimes with a new projector: as after a restart. */
async function project(
  events: readonly RecordedEvent[],
  random: () => number,
  after: (rows: Rows, applied: number) => void,
): Promise<Rows> {
  const rows = new Rows();
  let projector = createProjector(rows);
  for (let from = 0; from < events.length;) {
    const to = Math.min(events.length, from + 1 + Math.floor(random() * 12));
    rows.write(await projector.project(events.slice(from, to)));
    if (random() < 0.2) projector = createProjector(rows);
    from = to;
    after(rows, to);
  }
  return rows;
}

describe('the projection', () => {
  it('has at every moment the rows that a fold of the history up to there gives', async () => {
    await assert(
      asyncProperty(integer(), integer({ min: 5, max: 250 }), async (seed, length) => {
        const events = record(randomHistory(seed, length));
        await project(events, seededRandom(seed + 1), (rows, applied) => {
          const prefix = events.slice(0, applied);
          for (const runId of ['run:0', 'run:1', 'run:2']) {
            const folded = foldRunView({ dagId: 'random', runId }, prefix, RANDOM_DEFINITION);
            const run = [...rows.runs.values()].find((each) => each.runId === runId);
            expect(sorted(run === undefined ? undefined : rows.view(run))).toEqual(sorted(folded));
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  it('gives the same rows however the history is cut into batches', async () => {
    await assert(
      asyncProperty(integer(), async (seed) => {
        const events = record(randomHistory(seed, 200));
        const small = await project(
          events,
          () => 0,
          () => {},
        );
        const large = new Rows();
        large.write(await createProjector(large).project(events));
        for (const key of ['dagRows', 'versionRows', 'runs', 'tasks', 'tries', 'xcoms', 'rendered', 'admin'] as const)
          expect(Object.fromEntries(small[key] as ReadonlyMap<string | number, unknown>)).toEqual(
            Object.fromEntries(large[key] as ReadonlyMap<string | number, unknown>),
          );
      }),
      { numRuns: 25 },
    );
  });

  it('answers nothing for a run before it was asked for', () => {
    assert(
      property(integer(), (seed) => {
        const events = record(randomHistory(seed, 50));
        const at = events.findIndex((e) => e.type === 'RunRequested' && e.data.includes('"run:1"'));
        if (at < 0) return;
        expect(
          foldRunView({ dagId: 'random', runId: 'run:1' }, events.slice(0, at), RANDOM_DEFINITION),
        ).toBeUndefined();
      }),
      { numRuns: 20 },
    );
  });
});
