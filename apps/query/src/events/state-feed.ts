import type { DagRunRow, Position, RecordedEvent, StreamFilter } from '@rondo/ports';
import { decodeEvent, type RunDelta, type RunFold } from '@rondo/projections';
import type { Definitions } from '../history/definitions.ts';
import type { RunHistory } from '../history/run-history.ts';
import { versionNamedBy } from '../history/timeline.ts';

/** Runs whose state is held while they are followed; the ones seen least lately are folded again when they come back. */
const MAX_RUNS = 1_000;

export interface FeedFilter {
  readonly dagId?: string | undefined;
  readonly runId?: string | undefined;
}

export interface InstanceStand {
  readonly taskId: string;
  readonly mapIndex: string;
  readonly state: string;
  readonly tryNumber: number;
}

export interface StateChange {
  readonly position: Position;
  /** Of the event that made it. */
  readonly type: string;
  readonly dagId: string;
  readonly runId: string;
  /** When it has changed. */
  readonly run?: Pick<DagRunRow, 'state' | 'reason' | 'startedAt' | 'endedAt'>;
  readonly tasks: readonly InstanceStand[];
  readonly dropped?: readonly { readonly taskId: string; readonly mapIndex: string }[];
}

export type Told =
  | { readonly kind: 'state'; readonly data: StateChange }
  | { readonly kind: 'dag'; readonly data: Pick<StateChange, 'position' | 'type' | 'dagId'> }
  | { readonly kind: 'import'; readonly data: Pick<StateChange, 'position' | 'type'> & { readonly file: string } };

/** Tells what each event of the history changes, by the same fold that makes the rows. One for each client. */
export class StateFeed {
  private readonly folds = new Map<string, RunFold>();
  private readonly filter: FeedFilter;
  private readonly history: RunHistory;
  private readonly definitions: Definitions;

  constructor(filter: FeedFilter, history: RunHistory, definitions: Definitions) {
    this.filter = filter;
    this.history = history;
    this.definitions = definitions;
  }

  get streams(): StreamFilter {
    const { dagId, runId } = this.filter;
    if (dagId === undefined) return { streamPrefixes: ['dag-', 'dagRun-', 'imports-'] };
    return { streamPrefixes: [`dag-${dagId}`, `dagRun-${dagId}:${runId ?? ''}`] };
  }

  /** Undefined when nothing that is followed has changed. */
  async tell(recorded: RecordedEvent): Promise<Told | undefined> {
    const decoded = decodeEvent(recorded);
    const { dagId, runId } = this.filter;
    const { position, type } = recorded;
    if (decoded === undefined) return undefined;
    if (decoded.kind === 'import') return { kind: 'import', data: { position, type, file: decoded.event.data.file } };
    if (decoded.kind !== 'dag' && decoded.kind !== 'run') return undefined;
    // A prefix of a stream's name is one of longer names too.
    if (dagId !== undefined && decoded.dagId !== dagId) return undefined;
    const run = decoded.kind === 'run' ? decoded.runId : (decoded.event.data as { readonly runId?: string }).runId;
    if (runId !== undefined && run !== runId) return undefined;
    if (run === undefined) return { kind: 'dag', data: { position, type, dagId: decoded.dagId } };
    const fold = await this.foldOf(decoded.dagId, run, position);
    const version = versionNamedBy(recorded);
    const definition = version === undefined ? undefined : (await this.definitions.get(version))?.definition;
    const delta = fold.apply(recorded, definition);
    if (type === 'RunClosed') this.folds.delete(`${decoded.dagId}:${run}`);
    const data = changeOf(recorded, decoded.dagId, run, delta);
    return data === undefined ? undefined : { kind: 'state', data };
  }

  private async foldOf(dagId: string, runId: string, position: Position): Promise<RunFold> {
    const key = `${dagId}:${runId}`;
    const known = this.folds.get(key);
    const fold = known ?? (await this.history.foldAt(dagId, runId, position - 1));
    this.folds.delete(key);
    this.folds.set(key, fold);
    if (this.folds.size > MAX_RUNS) this.folds.delete(this.folds.keys().next().value!);
    return fold;
  }
}

function changeOf(
  { position, type }: RecordedEvent,
  dagId: string,
  runId: string,
  { run, tasks, dropped }: RunDelta,
): StateChange | undefined {
  // Instances that are new have no status: there may be very many, and each is told of when it moves.
  const isNew = type === 'RunStarted' || type === 'TaskMapped';
  const changed = tasks
    .filter((row) => !isNew || row.state !== 'none')
    .map(({ taskId, mapIndex, state, tryNumber }) => ({ taskId, mapIndex, state, tryNumber }));
  if (run === undefined && changed.length === 0 && dropped.length === 0) return undefined;
  const shown =
    run === undefined
      ? {}
      : { run: { state: run.state, reason: run.reason, startedAt: run.startedAt, endedAt: run.endedAt } };
  const gone = dropped.length === 0 ? {} : { dropped: dropped.map(({ taskId, mapIndex }) => ({ taskId, mapIndex })) };
  return { position, type, dagId, runId, ...shown, tasks: changed, ...gone };
}
