import type { BlobStore, EventStore, ProjectionModule, ReadModels } from '@rondo/ports';
import { StoreUnavailableError } from '@rondo/ports';
import {
  definitionIn,
  PositionWaiters,
  queriesOver,
  rowSourceOver,
  runEventsIn,
  type ReadModelStatus,
} from '@rondo/read-models';
import { connect, type ConnectOptions } from './connect.ts';
import { RowFollower } from './follower.ts';
import { PostgresRows } from './store.ts';
import { RowWatcher } from './watcher.ts';

export interface PostgresReadModelsOptions extends ConnectOptions {
  readonly events: EventStore;
  readonly projection: ProjectionModule;
  /** Where the definitions of versions are: JSON of `DagVersion` by its hash. */
  readonly blobs: Pick<BlobStore, 'get'>;
  /** False: this process only reads the rows, which others write. Default true: it writes them when nobody else does. */
  readonly writes?: boolean;
  /** Connections for queries at once. Default 10; the projection has two more. */
  readonly connections?: number;
  /** Called whenever the position or the state changes. */
  readonly onStatus?: (status: ReadModelStatus) => void;
}

export interface PostgresReadModels extends ReadModels {
  /** How the projection is doing. */
  status(): ReadModelStatus;
  /** Drops every row and folds the whole history again. Resolves when that has begun: `settled` tells when it is done. */
  rebuild(): Promise<void>;
}

/** A query that takes longer is ended by the server. */
const QUERY_MS = 30_000;
/** A writer that was paused within a transaction holds up who wants to take over: so long at most. */
const IDLE_MS = 5_000;

/**
 * The read models in a PostgreSQL database (14 or later), which several processes may share: one of them writes, each answers.
 * Resolves when queries are answered, and waits for a database that is away; rows may still be catching up. Rejects for one
 * that refuses the login, or holds what a newer release has made.
 */
export async function openPostgresReadModels(options: PostgresReadModelsOptions): Promise<PostgresReadModels> {
  const { events, projection, blobs, connections = 10, schema = 'rondo', writes = true } = options;
  const reader = connect(options, connections, { statement_timeout: QUERY_MS });
  const writer = connect(options, 2, { idle_in_transaction_session_timeout: IDLE_MS });
  const waiters = new PositionWaiters();
  const rows = new PostgresRows(writer, schema, projection.PROJECTION_VERSION);
  const onStatus = (status: ReadModelStatus): void => {
    waiters.reached(status);
    options.onStatus?.(status);
  };
  const source = rowSourceOver(writer, {
    definition: (version) => definitionIn(blobs, version),
    runEvents: runEventsIn(events),
  });
  const watcher = writes ? undefined : new RowWatcher({ rows, onStatus, isAwaited: () => waiters.isAwaited });
  const follower = watcher ?? new RowFollower({ rows, source, events, projection, onStatus });
  const end = async (): Promise<void> => {
    await follower.close();
    await Promise.all([reader.destroy(), writer.destroy()]);
  };
  try {
    await follower.start();
  } catch (error) {
    await end();
    throw error;
  }
  let closed: Promise<void> | undefined;
  const refusal = (): StoreUnavailableError =>
    new StoreUnavailableError('the read models are closed', { retryable: false });
  return {
    ...queriesOver(reader),
    position: async () => follower.status.position,
    settled: async (position, timeoutMs = 10_000) => {
      if (closed !== undefined) throw refusal();
      const reached = waiters.wait(position, timeoutMs, follower.status);
      watcher?.hurry();
      await reached;
    },
    status: () => follower.status,
    rebuild: () => follower.rebuild(),
    close: () => {
      waiters.fail(refusal());
      return (closed ??= end());
    },
  };
}
