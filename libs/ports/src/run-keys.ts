/** What a run's key is to the store of keys: text that only the platform's secret key opens; or no more than that it was deleted. */
export type StoredRunKey = { readonly key: string } | 'erased';

/**
 * The keys of sealed runs (I14), kept apart from the history: with the key of a run goes everything that it has sealed. Ids
 * are 32 hex digits. Every call is durable when it resolves; rejects with StoreUnavailableError when the store is away.
 */
export interface RunKeys {
  /** Keeps the key of that id. Answers the one that is kept: an earlier one wins, and one that was deleted stays deleted. */
  create(id: string, key: string): Promise<StoredRunKey>;
  /** Undefined: there never was one. */
  get(id: string): Promise<StoredRunKey | undefined>;
  /** Deletes the key, so that no byte of it stays in the store's files; also of an id that has none. Idempotent. */
  delete(id: string): Promise<void>;
  /** Notes that all else that goes with the key is gone as well. */
  finish(id: string): Promise<void>;
  /** Of these ids those that have not been deleted and finished. */
  unfinished(ids: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void>;
}
