import type { Position, RecordedEvent, StreamFilter } from '@rondo/ports';
import { decodeEvent, type RunDelta, type RunFold } from '@rondo/projections';
import type { Definitions } from '../history/definitions.ts';
import type { RunHistory } from '../history/run-history.ts';
import { versionNamedBy } from '../history/timeline.ts';
import { serverEvent } from '../http/live.ts';

/** Runs whose state is held while they are followed; the ones seen least lately are folded again when they come back. */
const MAX_RUNS = 1_000;

export interface FeedFilter {
  readonly dagId?: string | undefined;
  readonly runId?: string | undefined;
}

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

  /** The server-sent event that tells of it; undefined when nothing that is followed has changed. */
  async tell(recorded: RecordedEvent): Promise<string | undefined> {
    const decoded = decodeEvent(recorded);
    const { dagId, runId } = this.filter;
    const { position, type } = recorded;
    if (decoded === undefined) return undefined;
    if (decoded.kind === 'import')
      return serverEvent('import', { position, type, file: decoded.event.data.file }, position);
    if (decoded.kind !== 'dag' && decoded.kind !== 'run') return undefined;
    // A prefix of a stream's name is one of longer names too.
    if (dagId !== undefined && decoded.dagId !== dagId) return undefined;
    const run = decoded.kind === 'run' ? decoded.runId : (decoded.event.data as { readonly runId?: string }).runId;
    if (runId !== undefined && run !== runId) return undefined;
    if (run === undefined) return serverEvent('dag', { position, type, dagId: decoded.dagId }, position);
    const fold = await this.foldOf(decoded.dagId, run, position);
    const version = versionNamedBy(recorded);
    const definition = version === undefined ? undefined : (await this.definitions.get(version))?.definition;
    const delta = fold.apply(recorded, definition);
    if (type === 'RunClosed') this.folds.delete(`${decoded.dagId}:${run}`);
    return eventOf(recorded, decoded.dagId, run, delta);
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

function eventOf(
  { position, type }: RecordedEvent,
  dagId: string,
  runId: string,
  { run, tasks, dropped }: RunDelta,
): string | undefined {
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
  return serverEvent('state', { position, type, dagId, runId, ...shown, tasks: changed, ...gone }, position);
}
