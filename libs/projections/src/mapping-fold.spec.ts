import type { DagRunEvent } from '@rondo/domain';
import type { InstanceRecord, RecordedEvent, RowSource, RunChanges, RunRecord } from '@rondo/ports';
import { MAPPED_DEFINITION, randomMappedRun, record, seededRandom, statesOf, type HistoryEvent } from '@rondo/testing';
import { assert, asyncProperty, integer } from 'fast-check';
import { createProjector } from './projector.ts';
import { RunFold } from './run-view.ts';

function recorded(history: readonly DagRunEvent[], now: number): RecordedEvent[] {
  const { runId, ...rest } = { runId: 'run', runType: 'manual', logicalDate: null, dataInterval: null };
  const dag = (type: string, data: object): HistoryEvent => ({ stream: 'dag-dag', type, data, at: now });
  return record([
    dag('RunRequested', { runId, ...rest, runAfter: now, triggeredBy: 'user' }),
    dag('RunAdmitted', { runId, version: 'v1' }),
    ...history.map((event) => ({ stream: 'dagRun-dag:run', type: event.type, data: event.data, at: now })),
  ]);
}

const nameOf = ({ taskId, mapIndex }: { readonly taskId: string; readonly mapIndex: string }): string =>
  mapIndex === '' ? taskId : `${taskId}[${mapIndex}]`;

/** The rows of one run, kept as a store keeps them. */
class Rows {
  readonly instances = new Map<string, InstanceRecord>();
  run: RunRecord | undefined;

  write({ run, dropped, tasks }: RunChanges): void {
    if (run !== undefined) this.run = structuredClone(run);
    for (const row of dropped) this.instances.delete(nameOf(row));
    for (const row of tasks) this.instances.set(nameOf(row), structuredClone(row));
  }

  get source(): RowSource {
    const wanted = {
      dags: async () => [],
      assets: async () => [],
      dagVersions: async () => [],
      run: async () => this.run,
      instances: async () => [...this.instances.values()],
      definition: async () => MAPPED_DEFINITION,
    };
    return wanted as Partial<RowSource> as RowSource;
  }

  get states(): Record<string, string> {
    return Object.fromEntries([...this.instances].map(([name, { state }]) => [name, state]));
  }
}

describe('rows of mapped tasks', () => {
  it('are those of the instances that the domain has, however the history is cut and whoever projects', async () => {
    await assert(
      asyncProperty(integer(), async (seed) => {
        const run = randomMappedRun(seed);
        const events = recorded(run.history, run.now);
        const random = seededRandom(seed + 1);
        const rows = new Rows();
        let projector = createProjector(rows.source);
        for (let from = 0; from < events.length;) {
          const to = Math.min(events.length, from + 1 + Math.floor(random() * 20));
          for (const changes of (await projector.project(events.slice(from, to))).runs) rows.write(changes);
          if (random() < 0.3) projector = createProjector(rows.source);
          from = to;
        }
        expect(rows.states).toEqual(statesOf(run.run));
        const fold = new RunFold('dag', 'run');
        for (const event of events) fold.apply(event, MAPPED_DEFINITION);
        expect(Object.fromEntries(fold.view()!.tasks.map((row) => [nameOf(row), row.state]))).toEqual(rows.states);
      }),
      { numRuns: 150 },
    );
  });
});
