import { isDeepStrictEqual } from 'node:util';
import type { Scheduler } from '@rondo/application';
import { eventHash } from '@rondo/contracts';
import { evolveRun, initialRun, type DagRunEvent, type DagRunState } from '@rondo/domain';
import type { RecordedEvent } from '@rondo/ports';
import { viewOf } from '@rondo/testing';
import type { Recorder } from '../engine/recorder.ts';
import type { Workload } from '../workload.ts';

/** What came out: of each run its state, of each instance its state, its tries and its value. */
export type EndState = Readonly<Record<string, string>>;

interface Remembered {
  readonly dags: ReadonlyMap<
    string,
    { readonly runs: ReadonlyMap<string, { readonly state: DagRunState; readonly revision: number }> }
  >;
}

/** A run that a scheduler has in memory, where it is as old as the history, is what the history folds to. */
export function checkMemory(scheduler: Scheduler, events: readonly RecordedEvent[], recorder: Recorder): void {
  const { memory } = scheduler as unknown as { readonly memory: Remembered };
  for (const [dagId, dag] of memory.dags)
    for (const [runId, run] of dag.runs) {
      const stream = `dagRun-${dagId}:${runId}`;
      const history = events.filter((event) => event.stream === stream);
      if (history.length - 1 !== run.revision) continue;
      const state = initialRun(run.state.plan);
      for (const { type, data } of history)
        evolveRun(state, { type, data: JSON.parse(data) as unknown } as DagRunEvent);
      if (!isDeepStrictEqual(plain(viewOf(state)), plain(viewOf(run.state))))
        recorder.violation('fold', `${stream} at ${run.revision} is not what is in memory`);
    }
}

const plain = (view: unknown): unknown => JSON.parse(JSON.stringify(view));

/** Each event carries the hash of the one before it in its stream (I13). */
export function checkChain(events: readonly RecordedEvent[], recorder: Recorder): void {
  const last = new Map<string, RecordedEvent>();
  for (const event of events) {
    const before = last.get(event.stream);
    last.set(event.stream, event);
    const wanted =
      before === undefined
        ? ''
        : eventHash(before.stream, before.revision, before.id, before.type, before.data, before.meta);
    const { prev } = JSON.parse(event.meta) as { readonly prev: string };
    if (prev !== wanted || event.revision !== (before?.revision ?? -1) + 1)
      recorder.violation('I13', `event ${event.revision} of ${event.stream} does not follow the one before it`);
  }
}

/** Each event from outside is in the history once (I6), and what consumed it names one that is there. */
export function checkEvents(events: readonly RecordedEvent[], workload: Workload, recorder: Recorder): void {
  const found = new Map<string, number>();
  for (const { stream, data } of events) {
    if (!stream.startsWith('sensorEvents-')) continue;
    const { id } = JSON.parse(data) as { readonly id: string };
    found.set(id, (found.get(id) ?? 0) + 1);
  }
  for (const action of workload.actions) {
    if (action.kind !== 'event') continue;
    const times = found.get(action.id) ?? 0;
    if (times !== 1) recorder.violation('I6', `event ${action.id} is in the history ${times} times`);
  }
}

/** As the history tells it, without the domain. */
export function endStateOf(events: readonly RecordedEvent[]): EndState {
  const states: Record<string, string> = {};
  for (const { stream, type, data: text } of events) {
    if (!stream.startsWith('dagRun-')) continue;
    const run = stream.slice('dagRun-'.length);
    const data = JSON.parse(text) as {
      readonly taskId?: string;
      readonly mapIndex?: readonly number[];
      readonly tryNumber?: number;
      readonly xcoms?: { readonly return_value?: { readonly value?: unknown } };
      readonly instances?: readonly {
        readonly taskId: string;
        readonly mapIndex: readonly number[];
        readonly to?: number;
      }[];
    };
    if (type === 'RunSucceeded' || type === 'RunFailed') states[run] = type;
    const value = data.xcoms?.return_value?.value;
    if (type === 'TaskSucceeded' || type === 'TaskFailed')
      states[`${run}/${data.taskId}[${data.mapIndex?.join('.')}]`] =
        `${type} at try ${data.tryNumber}${typeof value === 'number' ? `: ${value}` : ''}`;
    if (type === 'TaskSkipped' || type === 'TaskUpstreamFailed')
      for (const { taskId, mapIndex, to } of data.instances ?? [])
        for (let n = mapIndex.at(-1) ?? 0; n <= (to ?? mapIndex.at(-1) ?? 0); n++)
          states[`${run}/${taskId}[${mapIndex.length === 0 ? '' : [...mapIndex.slice(0, -1), n].join('.')}]`] = type;
  }
  return states;
}
