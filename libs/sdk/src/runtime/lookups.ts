import type { Connection } from '@rondo/domain';
import { PendingLookup } from '../templates/index.ts';
import { XComStore, type XComSettings } from '../xcoms/store.ts';
import type { AttemptServices, XComQuery } from './contract.ts';

/** Look-ups of one attempt. A template cannot wait: it is told what must be fetched first, and is rendered again. */
export class Lookups {
  readonly #services: AttemptServices;
  readonly #attemptId: string;
  readonly #fetched = new Map<string, unknown>();
  readonly store: XComStore;

  constructor(services: AttemptServices, attemptId: string, settings: XComSettings = {}) {
    this.#services = services;
    this.#attemptId = attemptId;
    this.store = new XComStore(settings, {
      put: (bytes) => services.putBlob(attemptId, bytes),
      get: (hash) => services.getBlob(attemptId, hash),
    });
  }

  variable(key: string): Promise<string | undefined> {
    return this.#services.variable(this.#attemptId, key);
  }

  connection(connId: string): Promise<Connection | undefined> {
    return this.#services.connection(this.#attemptId, connId);
  }

  async xcom(query: XComQuery): Promise<{ readonly value: unknown } | undefined> {
    const found = await this.#services.xcom(this.#attemptId, query);
    return found === undefined ? undefined : { value: await this.store.read(found.value) };
  }

  /** The same for templates: what has been fetched, or a PendingLookup. */
  readonly forTemplates = {
    variable: (key: string) => this.#ready(`variable '${key}'`, () => this.variable(key)),
    connection: (connId: string) => this.#ready(`connection '${connId}'`, () => this.connection(connId)),
    xcom: (query: XComQuery) => this.#ready(`XCom ${JSON.stringify(query)}`, () => this.xcom(query)),
  };

  #ready<T>(what: string, fetch: () => Promise<T>): T {
    if (this.#fetched.has(what)) return this.#fetched.get(what) as T;
    throw new PendingLookup(what, async () => void this.#fetched.set(what, await fetch()));
  }
}

/** Renders until everything that the templates look up has been fetched. */
export async function renderFetching<T>(render: () => T): Promise<T> {
  for (;;) {
    try {
      return render();
    } catch (error) {
      if (!(error instanceof PendingLookup)) throw error;
      await error.fetch();
    }
  }
}
