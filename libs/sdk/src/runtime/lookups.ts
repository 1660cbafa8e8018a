import type { Connection, InputValue, MapIndex } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import { PendingLookup } from '../templates/index.ts';
import { XComStore, type XComSettings } from '../xcoms/store.ts';
import type {
  AssetEventInfo,
  AssetEventQuery,
  AttemptServices,
  XComListQuery,
  XComPage,
  XComQuery,
} from './contract.ts';
import type { List } from './lists.ts';
import type { Pulled } from './pull.ts';

const PAGE = 1_000;
/** Bytes of JSON that a process keeps parsed, beside the value that it took last. */
const KEPT = 16 * 1024 * 1024;
const kept = new Map<string, { readonly json: Json; readonly bytes: number }>();

/** Look-ups of one attempt. A template cannot wait: it is told what must be fetched first, and is rendered again. */
export class Lookups {
  readonly #services: AttemptServices;
  readonly #attemptId: string;
  /** Tasks that have failed, and those that stand for them in this run. */
  readonly #standIns: Readonly<Record<string, string>>;
  readonly #fetched = new Map<string, unknown>();
  readonly store: XComStore;

  constructor(
    services: AttemptServices,
    attemptId: string,
    settings: XComSettings = {},
    standIns: Readonly<Record<string, string>> = {},
    isSealed = false,
  ) {
    this.#standIns = standIns;
    this.#services = services;
    this.#attemptId = attemptId;
    this.store = new XComStore(settings, {
      put: (bytes) => services.putBlob(attemptId, bytes),
      get: (hash) => services.getBlob(attemptId, hash),
      ...(isSealed ? { seal: (bytes) => required(services.seal?.(attemptId, bytes)) } : {}),
      unseal: (bytes) => required(services.unseal?.(attemptId, bytes)),
    });
  }

  variable(key: string): Promise<string | undefined> {
    return this.#services.variable(this.#attemptId, key);
  }

  connection(connId: string): Promise<Connection | undefined> {
    return this.#services.connection(this.#attemptId, connId);
  }

  async xcom(query: XComQuery): Promise<{ readonly value: unknown } | undefined> {
    const standIn = query.runId === undefined ? this.#standIns[query.taskId] : undefined;
    const asked = standIn === undefined ? query : { ...query, taskId: standIn };
    const found = await this.#services.xcom(this.#attemptId, asked);
    return found === undefined ? undefined : { value: await this.store.read(found.value) };
  }

  async assetEvents(query: AssetEventQuery): Promise<readonly AssetEventInfo[]> {
    return (await this.#services.assetEvents?.(this.#attemptId, query)) ?? [];
  }

  /** What a task returned, the caller's own. */
  input(input: Exclude<InputValue, { readonly mapped: MapIndex }>): Promise<unknown> {
    return 'value' in input ? this.store.read(input.value) : this.store.readBlob(input.blob);
  }

  /**
   * The same as JSON, for those that only look at it: the instances of a mapped task take one item each, and the list is parsed
   * once for all that run in this process.
   */
  async shared(input: Exclude<InputValue, { readonly mapped: MapIndex }>): Promise<Json> {
    const place = 'value' in input ? this.store.placeOf(input.value) : input.blob;
    if (place === undefined) return 'value' in input ? input.value : null;
    let found = kept.get(place);
    found ??= 'value' in input ? await this.store.fetch(input.value) : await this.store.fetchBlob(input.blob);
    kept.delete(place);
    kept.set(place, found);
    let together = kept.values().reduce((sum, { bytes }) => sum + bytes, 0);
    for (const [oldest, { bytes }] of kept) {
      if (together <= KEPT || kept.size === 1) break;
      kept.delete(oldest);
      together -= bytes;
    }
    return found.json;
  }

  /** The values of all instances of a task under a path (`''`: all), in the order of their map indexes, a page at a time. */
  async *pages(query: Omit<XComListQuery, 'offset' | 'limit'>): AsyncGenerator<unknown[]> {
    for (let offset = 0; ; offset += PAGE) {
      const { values, total } = await this.#services.xcomList(this.#attemptId, { ...query, offset, limit: PAGE });
      yield await Promise.all(values.map(({ value }) => this.store.read(value)));
      if (offset + PAGE >= total) return;
    }
  }

  /** The return values of all instances of a task under a path, of which only the items asked for are looked up. */
  list({ taskId, under }: { readonly taskId: string; readonly under: MapIndex }): List {
    const query = { taskId, key: 'return_value', under: under.join('.') };
    let page: (XComPage & { readonly offset: number }) | undefined;
    const ask = async (offset: number): Promise<XComPage & { readonly offset: number }> => {
      // The instances of a mapped task take one item each; who takes a second one takes them all.
      const limit = page === undefined ? 1 : PAGE;
      return (page = { offset, ...(await this.#services.xcomList(this.#attemptId, { ...query, offset, limit })) });
    };
    return {
      length: async () => (page ?? (await ask(0))).total,
      at: async (index) => {
        let found = page?.values[index - page.offset];
        found ??= (await ask(index)).values[0];
        if (found !== undefined) return this.store.read(found.value);
        throw new RangeError(`there is no item ${index}: '${taskId}' has returned ${page?.total ?? 0}`);
      },
    };
  }

  /** The same for templates: what has been fetched, or a PendingLookup. */
  forTemplates(pull: (query: XComQuery) => Promise<Pulled | undefined>) {
    return {
      previousSuccess: () =>
        this.#ready('the last success', async () => this.#services.previousSuccess?.(this.#attemptId)),
      variable: (key: string) => this.#ready(`variable '${key}'`, () => this.variable(key)),
      connection: (connId: string) => this.#ready(`connection '${connId}'`, () => this.connection(connId)),
      assetEvents: (query: AssetEventQuery) =>
        this.#ready(`asset events ${JSON.stringify(query)}`, () => this.assetEvents(query)),
      xcom: (query: XComQuery) => this.#ready(`XCom ${JSON.stringify(query)}`, () => pull(query)),
    };
  }

  #ready<T>(what: string, fetch: () => Promise<T>): T {
    if (this.#fetched.has(what)) return this.#fetched.get(what) as T;
    throw new PendingLookup(what, async () => void this.#fetched.set(what, await fetch()));
  }
}

async function required<Answer>(answer: Promise<Answer> | undefined): Promise<Answer> {
  if (answer === undefined) throw new Error('the run is sealed, and nobody here can seal or open its values');
  return answer;
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
