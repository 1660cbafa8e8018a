import type { ServerResponse } from 'node:http';
import { Refusal, RESOURCES, type ApiObject, type Resource } from './objects.ts';
import type { Matcher } from './selector.ts';
import type { Change, Store } from './store.ts';

export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly matches: Matcher;
  readonly version: string | null;
  readonly bookmarks: boolean;
  readonly timeoutMs: number;
  readonly bookmarkMs: number;
}

/** One watch: what has happened since its version, then what happens, until its time is over. */
export class Watching {
  readonly #store: Store;
  readonly #request: WatchRequest;
  readonly #response: ServerResponse;
  readonly #timers: NodeJS.Timeout[] = [];
  #told = 0;

  constructor(store: Store, request: WatchRequest, response: ServerResponse) {
    this.#store = store;
    this.#request = request;
    this.#response = response;
  }

  /** Throws 410 where its version is too old. */
  start(): void {
    const { version, resource, namespace, matches, bookmarks, timeoutMs, bookmarkMs } = this.#request;
    const isAny = version === null || version === '' || version === '0';
    const missed = isAny ? [] : this.#store.since(Number(version));
    this.#response.writeHead(200, { 'Content-Type': 'application/json' });
    this.#response.flushHeaders();
    if (isAny)
      for (const object of this.#store.list(resource, namespace)) if (matches(object)) this.#send('ADDED', object);
    this.#told = isAny ? this.#store.version : Number(version);
    missed.forEach((change) => this.#tell(change));
    this.#store.changed.on('change', this.#tell);
    this.#response.once('close', () => this.#stop());
    this.#timers.push(setTimeout(() => this.end(), timeoutMs));
    if (bookmarks) this.#timers.push(setInterval(() => this.#bookmark(), bookmarkMs));
  }

  end(): void {
    this.#stop();
    this.#response.end();
  }

  /** The database has forgotten what this watch would need: told within the stream. */
  expire(): void {
    const refusal = new Refusal(410, 'Expired', 'The resourceVersion for the provided watch is too old.');
    this.#write('ERROR', refusal.status);
    this.end();
  }

  break(): void {
    this.#stop();
    this.#response.destroy();
  }

  #stop(): void {
    this.#store.changed.off('change', this.#tell);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** An object that comes to match is new to this watch, and one that no longer does is gone. */
  readonly #tell = (change: Change): void => {
    const { resource, namespace, matches } = this.#request;
    if (change.version <= this.#told || change.resource !== resource) return;
    this.#told = change.version;
    if (namespace !== undefined && change.after.metadata.namespace !== namespace) return;
    const did = change.before !== undefined && matches(change.before);
    const does = change.kind !== 'DELETED' && matches(change.after);
    if (!did && !does) return;
    this.#send(did && does ? 'MODIFIED' : does ? 'ADDED' : 'DELETED', change.after);
  };

  #bookmark(): void {
    const kind = RESOURCES[this.#request.resource];
    const metadata = { resourceVersion: String(this.#store.version), creationTimestamp: null };
    this.#told = this.#store.version;
    this.#write('BOOKMARK', { kind, apiVersion: 'v1', metadata });
  }

  #send(type: string, object: ApiObject): void {
    this.#write(type, object);
  }

  #write(type: string, object: object): void {
    this.#response.write(`${JSON.stringify({ type, object })}\n`);
  }
}
