import type { Connection, Sealed } from '@rondo/domain';
import { attemptId, parseAttemptId } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type {
  AssetEventFilter,
  AssetEventRow,
  AttemptServices,
  BlobStore,
  EventStore,
  ReadModels,
  SecretBox,
  SecretLookup,
} from '@rondo/ports';
import type { RunKeyring } from './erasure/keyring.ts';
import { RunBlobs } from './erasure/run-blobs.ts';

export interface LookupOptions {
  /** What the environment gives: looked at first. */
  readonly environment: {
    variable(key: string): string | undefined;
    connection(connId: string): Connection | undefined;
  };
  readonly readModels: Pick<ReadModels, 'variable' | 'connection'>;
  readonly secrets: SecretBox;
}

/** Variables and connections: the environment first, then the encrypted store. */
export class StoredSecrets implements SecretLookup {
  private readonly options: LookupOptions;

  constructor(options: LookupOptions) {
    this.options = options;
  }

  async variable(key: string): Promise<string | undefined> {
    const { environment, readModels, secrets } = this.options;
    const given = environment.variable(key);
    if (given !== undefined) return given;
    const row = await readModels.variable(key);
    return row === undefined ? undefined : secrets.open(row.sealed as unknown as Sealed, `variable:${key}`);
  }

  async connection(connId: string): Promise<Connection | undefined> {
    const { environment, readModels, secrets } = this.options;
    const given = environment.connection(connId);
    if (given !== undefined) return given;
    const row = await readModels.connection(connId);
    if (row === undefined) return undefined;
    return JSON.parse(secrets.open(row.sealed as unknown as Sealed, `connection:${connId}`)) as Connection;
  }
}

const LONGEST_PAGE = 1_000;

export interface AttemptServicesOptions {
  readonly lookup: SecretLookup;
  readonly readModels: Pick<
    ReadModels,
    'xcoms' | 'xcomsUnder' | 'assetEvents' | 'priorXCom' | 'previousSuccess' | 'settled'
  >;
  readonly store: Pick<EventStore, 'head'>;
  readonly blobs: BlobStore;
  /** The keys of sealed runs (I14). Absent: no run is sealed. */
  readonly keyring?: RunKeyring;
}

/** What a running attempt may ask for, by its own id (I15). */
export function attemptServices(options: AttemptServicesOptions): AttemptServices {
  const { lookup, readModels, store } = options;
  const blobs = new RunBlobs(options.blobs, options.keyring);
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
      const [dagId, runId] = [query.dagId ?? attempt.dagId, query.runId ?? attempt.runId];
      const { taskId, key, mapIndex = '' } = query;
      const row =
        query.includePriorDates === true
          ? await readModels.priorXCom(dagId, runId, { taskId, key, mapIndex })
          : (await readModels.xcoms(dagId, runId, taskId, mapIndex)).find((each) => each.key === key);
      if (row === undefined) return undefined;
      return { value: row.blob === null ? row.value : await valueOf(blobs, row.blob) };
    },
    xcomList: async (id, { taskId, key, under, offset, limit, ...where }) => {
      const { dagId, runId } = { ...own(id), ...where };
      await readModels.settled(await store.head());
      const { items, total } = await readModels.xcomsUnder(
        dagId,
        runId,
        { taskId, key, under },
        { offset, limit: Math.min(limit, LONGEST_PAGE) },
      );
      const values = items.map(async ({ mapIndex, value, blob }) => ({
        mapIndex,
        value: blob === null ? value : await valueOf(blobs, blob),
      }));
      return { values: await Promise.all(values), total };
    },
    previousSuccess: async (id) => {
      const { dagId, runId } = own(id);
      await readModels.settled(await store.head());
      const run = await readModels.previousSuccess(dagId, runId);
      if (run === undefined) return undefined;
      const { dataIntervalStart: start, dataIntervalEnd: end, startedAt, endedAt } = run;
      return { dataInterval: start === null || end === null ? null : [start, end], startedAt, endedAt };
    },
    assetEvents: async (id, query) => {
      const { dagId, runId } = own(id);
      await readModels.settled(await store.head());
      if (query.kind === 'triggering') return allOf(readModels, { dagId, runId, orderBy: 'position' });
      const by = query.kind === 'asset' ? 'name' : query.kind;
      const limit = Math.min(query.limit, LONGEST_PAGE);
      const latest = await readModels.assetEvents({ [by]: query.name }, { offset: 0, limit });
      return latest.items.toReversed();
    },
    putBlob: async (id, bytes) => {
      const { dagId, runId } = own(id);
      return blobs.put(dagId, runId, bytes);
    },
    getBlob: (_id, hash) => blobs.get(hash),
    seal: async (id, bytes) => {
      const { dagId, runId } = own(id);
      return blobs.seal(dagId, runId, bytes);
    },
    unseal: (_id, bytes) => blobs.open(bytes),
  };
}

async function allOf(
  readModels: Pick<ReadModels, 'assetEvents'>,
  filter: AssetEventFilter,
): Promise<readonly AssetEventRow[]> {
  const events: AssetEventRow[] = [];
  for (;;) {
    const { items, total } = await readModels.assetEvents(filter, { offset: events.length, limit: LONGEST_PAGE });
    events.push(...items);
    if (items.length === 0 || events.length >= total) return events;
  }
}

async function valueOf(blobs: RunBlobs, hash: string): Promise<Json> {
  const bytes = await blobs.get(hash);
  if (bytes === undefined) throw new Error(`the value ${hash} is not in the blob store`);
  return JSON.parse(new TextDecoder().decode(bytes)) as Json;
}
