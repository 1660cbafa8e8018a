import type { DagDefinition } from '@rondo/domain';
import type { RecordedEvent, RenderedFieldsRow, RunRecord, InstanceRecord, TaskTryRow, XComRow } from '@rondo/ports';
import { decodeEvent, occurredAt } from './decode.ts';
import { applyDagEvent, applyRunEvent, isAboutRun, requestedRun } from './run-fold.ts';
import { keyOf, RunModel, type InstanceFoldRow, type RunSink } from './run-model.ts';

/** Everything that is known of one run at some point of the history. */
export interface RunView {
  readonly run: RunRecord;
  /** In order of declaration. */
  readonly tasks: readonly InstanceRecord[];
  /** Earlier tries, in the order in which they ended. */
  readonly tries: readonly TaskTryRow[];
  readonly xcoms: readonly XComRow[];
  readonly rendered: readonly RenderedFieldsRow[];
}

/** What one event moved: the run's row, and the rows of these instances. */
export interface RunDelta {
  readonly run: RunRecord | undefined;
  readonly tasks: readonly InstanceRecord[];
  /** Rows that are no more: their instances were mapped. */
  readonly dropped: readonly { readonly taskId: string; readonly mapIndex: string }[];
}

/**
 * Folds the events of one run, in order of position: those of its own stream, and those of its DAG's stream that speak of
 * it (others are passed over). The projection's rows come from the same code, so that an answer from the history up to a
 * position equals what the rows were then.
 */
export class RunFold implements RunSink {
  private model: RunModel | undefined;
  private readonly tries = new Map<string, TaskTryRow>();
  private readonly xcoms = new Map<string, Map<string, XComRow>>();
  private readonly rendered = new Map<string, RenderedFieldsRow>();
  private moved = new Set<InstanceFoldRow>();
  private dropped: InstanceFoldRow[] = [];
  private runMoved = false;
  private readonly dagId: string;
  private readonly runId: string;

  constructor(dagId: string, runId: string) {
    this.dagId = dagId;
    this.runId = runId;
  }

  /** `definition` is that of the version which the event names (the run's start, a change of version); else it is not looked at. */
  apply(recorded: RecordedEvent, definition: DagDefinition | undefined): RunDelta {
    this.moved = new Set();
    this.dropped = [];
    this.runMoved = false;
    const decoded = decodeEvent(recorded);
    if (decoded?.kind === 'run' && decoded.dagId === this.dagId && decoded.runId === this.runId)
      applyRunEvent(this.need(recorded), decoded.event, definition, this);
    if (
      decoded?.kind === 'dag' &&
      decoded.dagId === this.dagId &&
      isAboutRun(decoded.event) &&
      decoded.event.data.runId === this.runId
    ) {
      const at = occurredAt(recorded);
      if (decoded.event.type === 'RunRequested')
        this.model = new RunModel(requestedRun(this.dagId, decoded.event.data, at, recorded.position));
      applyDagEvent(this.need(recorded), decoded.event, at, recorded.revision, this);
    }
    return { run: this.runMoved ? this.model?.run : undefined, tasks: [...this.moved], dropped: this.dropped };
  }

  /** A copy of what has been folded so far; undefined before the run was asked for. */
  view(): RunView | undefined {
    if (this.model === undefined) return undefined;
    return {
      run: { ...this.model.run },
      tasks: [...this.model.instances.values()].map(bare),
      tries: [...this.tries.values()],
      xcoms: [...this.xcoms.values()].flatMap((ofInstance) => [...ofInstance.values()]),
      rendered: [...this.rendered.values()],
    };
  }

  private need(recorded: RecordedEvent): RunModel {
    if (this.model === undefined)
      throw new Error(
        `run '${this.runId}' of DAG '${this.dagId}': ${recorded.type} at position ${recorded.position} comes before RunRequested`,
      );
    return this.model;
  }

  touchRun(): void {
    this.runMoved = true;
  }

  touch(instance: InstanceFoldRow): void {
    this.moved.add(instance);
  }

  drop(instance: InstanceFoldRow): void {
    this.moved.delete(instance);
    this.dropped.push(instance);
  }

  keepTry(row: TaskTryRow): void {
    this.tries.set(`${keyOf(row.taskId, row.mapIndex)}#${row.tryNumber}`, row);
  }

  setXCom(row: XComRow): void {
    const key = keyOf(row.taskId, row.mapIndex);
    const ofInstance = this.xcoms.get(key) ?? new Map<string, XComRow>();
    this.xcoms.set(key, ofInstance.set(row.key, row));
  }

  deleteXCom(taskId: string, mapIndex: string, key: string): void {
    this.xcoms.get(keyOf(taskId, mapIndex))?.delete(key);
  }

  forgetXComs(taskId: string, mapIndex: string): void {
    this.xcoms.delete(keyOf(taskId, mapIndex));
  }

  eraseRun(): void {
    this.xcoms.clear();
    this.rendered.clear();
  }

  /** Who folds a run for itself has its events, from wherever they are. */
  archiveRun(): void {}

  /** A view of a run does not show them. */
  setApproval(): void {}

  setRendered(row: RenderedFieldsRow): void {
    this.rendered.set(`${keyOf(row.taskId, row.mapIndex.join('.'))}#${row.tryNumber}`, row);
  }
}

function bare({ dirty: _dirty, ...row }: InstanceFoldRow): InstanceRecord {
  return row;
}

/** The run as the given history tells it; undefined when that ends before the run was asked for. */
export function foldRunView(
  ref: { readonly dagId: string; readonly runId: string },
  events: Iterable<RecordedEvent>,
  definition: DagDefinition | undefined,
): RunView | undefined {
  const fold = new RunFold(ref.dagId, ref.runId);
  for (const event of events) fold.apply(event, definition);
  return fold.view();
}
