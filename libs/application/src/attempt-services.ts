import type { Connection, Sealed } from '@rondo/domain';
import { attemptId, parseAttemptId } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type { AttemptServices, BlobStore, EventStore, ReadModels, SecretBox, SecretLookup } from '@rondo/ports';

export interface LookupOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readModels: Pick<ReadModels, 'variable' | 'connection'>;
  readonly secrets: SecretBox;
  /** Reads a connection from a URI or JSON text; throws with what is allowed. */
  readonly parseConnection: (connId: string, text: string) => Connection;
}

const envName = (prefix: string, key: string): string => `${prefix}${key.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;

/** Variables and connections: the environment first (`RONDO_VAR_…`, `RONDO_CONN_…`), then the encrypted store. */
export class StoredSecrets implements SecretLookup {
  private readonly options: LookupOptions;

  constructor(options: LookupOptions) {
    this.options = options;
  }

  async variable(key: string): Promise<string | undefined> {
    const { env, readModels, secrets } = this.options;
    const given = env[envName('RONDO_VAR_', key)] ?? env[envName('AIRFLOW_VAR_', key)];
    if (given !== undefined) return given;
    const row = await readModels.variable(key);
    return row === undefined ? undefined : secrets.open(row.sealed as unknown as Sealed, `variable:${key}`);
  }

  async connection(connId: string): Promise<Connection | undefined> {
    const { env, readModels, secrets, parseConnection } = this.options;
    const given = env[envName('RONDO_CONN_', connId)] ?? env[envName('AIRFLOW_CONN_', connId)];
    if (given !== undefined) return parseConnection(connId, given);
    const row = await readModels.connection(connId);
    return row === undefined ? undefined : (JSON.parse(secrets.open(row.sealed as unknown as Sealed, `connection:${connId}`)) as Connection);
  }
}

export interface AttemptServicesOptions {
  readonly lookup: SecretLookup;
  readonly readModels: Pick<ReadModels, 'xcoms' | 'settled'>;
  readonly store: Pick<EventStore, 'head'>;
  readonly blobs: BlobStore;
}

/** What a running attempt may ask for, by its own id (I15). */
export function attemptServices({ lookup, readModels, store, blobs }: AttemptServicesOptions): AttemptServices {
  const own = (id: string) => {
    const attempt = parseAttemptId(id);
    if (attempt === undefined || attemptId(attempt) !== id) throw new Error(`'${id}' is no attempt`);
    return attempt;
  };
  return {
    variable: (_id, key) => lookup.variable(key),
    connection: (_id, connId) => lookup.connection(connId),
    xcom: async (id, query) => {
      const attempt = own(id);
      // Whatever the attempt may see was durable before it began: the rows only have to catch up to now.
      await readModels.settled(await store.head());
      const rows = await readModels.xcoms(query.dagId ?? attempt.dagId, query.runId ?? attempt.runId, query.taskId, query.mapIndex ?? '');
      const row = rows.find((r) => r.key === query.key);
      if (row === undefined) return undefined;
      return { value: row.blob === null ? row.value : await valueOf(blobs, row.blob) };
    },
    putBlob: (_id, bytes) => blobs.put(bytes),
    getBlob: (_id, hash) => blobs.get(hash),
  };
}

async function valueOf(blobs: BlobStore, hash: string): Promise<Json> {
  const bytes = await blobs.get(hash);
  if (bytes === undefined) throw new Error(`the value ${hash} is not in the blob store`);
  return JSON.parse(new TextDecoder().decode(bytes)) as Json;
}
