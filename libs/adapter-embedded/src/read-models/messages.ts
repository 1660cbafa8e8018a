import type { MessagePort } from 'node:worker_threads';
import type { QueryName, ReadModelStatus } from '@rondo/read-models';

export interface ReadModelsWorkerData {
  readonly folder: string;
  /** Folder of the blob store. */
  readonly blobs: string;
  /** A client's port to the event store. */
  readonly events: MessagePort;
  /** URL of a `ProjectionModule`. */
  readonly projection: string;
}

export type ToThread = {
  readonly id: number;
  readonly call:
    | { readonly k: 'query'; readonly name: QueryName; readonly args: readonly unknown[] }
    | { readonly k: 'rebuild' }
    | { readonly k: 'close' };
};

export type FromThread =
  | { readonly k: 'ready'; readonly status: ReadModelStatus }
  | { readonly k: 'status'; readonly status: ReadModelStatus }
  | { readonly k: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly k: 'failed'; readonly id: number; readonly message: string };
