import { createHash } from 'node:crypto';
import { compareMapIndex, type Connection, type DagRunEvent, type MapIndex, type XComValue } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import {
  connectionFromEnv,
  variableFromEnv,
  type AttemptServices,
  type XComListQuery,
  type XComPage,
  type XComQuery,
} from '@rondo/sdk';

/** What a task may ask for while it runs without a platform: values of this run in memory, secrets from the environment. */
export class MemoryServices implements AttemptServices {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #xcoms = new Map<string, Json>();
  readonly #blobs = new Map<string, Uint8Array>();

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** Keeps what the event says of XComs. */
  keep(event: DagRunEvent): void {
    if (event.type === 'TaskScheduled' && event.data.tryNumber > 1 && event.data.leg === 1) this.#forget(event.data);
    if (!('xcoms' in event.data)) return;
    const { taskId, mapIndex, xcoms } = event.data;
    for (const [key, value] of Object.entries(xcoms ?? {}))
      this.#xcoms.set(keyOf(taskId, mapIndex.join('.'), key), this.open(value));
  }

  /** A try begins without what earlier ones have left. */
  #forget({ taskId, mapIndex }: { readonly taskId: string; readonly mapIndex: MapIndex }): void {
    for (const key of this.#xcoms.keys()) {
      const [task, index] = JSON.parse(key) as [string, string, string];
      if (task === taskId && index === mapIndex.join('.')) this.#xcoms.delete(key);
    }
  }

  /** What tasks have returned, by task id; of a mapped one the list of what its instances did. */
  returned(): Readonly<Record<string, Json>> {
    const returned: Record<string, Json> = {};
    for (const key of this.#xcoms.keys()) {
      const [taskId, mapIndex, name] = JSON.parse(key) as [string, string, string];
      if (name !== 'return_value' || taskId in returned) continue;
      returned[taskId] =
        mapIndex === '' ? this.#xcoms.get(key)! : this.#valuesUnder(taskId, name, '').map(({ value }) => value);
    }
    return returned;
  }

  open(value: XComValue): Json {
    if ('value' in value) return value.value;
    const bytes = this.#blobs.get(value.blob);
    if (bytes === undefined) throw new Error(`no value with hash ${value.blob} was stored in this run`);
    return JSON.parse(new TextDecoder().decode(bytes)) as Json;
  }

  variable(_attemptId: string, key: string): Promise<string | undefined> {
    return Promise.resolve(variableFromEnv(this.#env, key));
  }

  connection(_attemptId: string, connId: string): Promise<Connection | undefined> {
    const found = connectionFromEnv(this.#env, connId);
    return found.ok ? Promise.resolve(found.value) : Promise.reject(new Error(found.error));
  }

  xcom(_attemptId: string, query: XComQuery): Promise<{ readonly value: Json } | undefined> {
    if (query.dagId !== undefined || query.runId !== undefined) return Promise.resolve(undefined);
    const value = this.#xcoms.get(keyOf(query.taskId, query.mapIndex ?? '', query.key));
    return Promise.resolve(value === undefined ? undefined : { value });
  }

  async xcomList(_attemptId: string, query: XComListQuery): Promise<XComPage> {
    const found = this.#valuesUnder(query.taskId, query.key, query.under);
    return { values: found.slice(query.offset, query.offset + query.limit), total: found.length };
  }

  #valuesUnder(ofTask: string, ofKey: string, under: string): { readonly mapIndex: string; readonly value: Json }[] {
    return [...this.#xcoms]
      .map(([key, value]) => ({ name: JSON.parse(key) as [string, string, string], value }))
      .filter(({ name: [taskId, mapIndex, key] }) => taskId === ofTask && key === ofKey && isUnder(mapIndex, under))
      .map(({ name: [, mapIndex], value }) => ({ mapIndex, value }))
      .sort((a, b) => compareMapIndex(pathOf(a.mapIndex), pathOf(b.mapIndex)));
  }

  putBlob(_attemptId: string, bytes: Uint8Array): Promise<string> {
    const hash = createHash('sha256').update(bytes).digest('hex');
    this.#blobs.set(hash, bytes);
    return Promise.resolve(hash);
  }

  getBlob(_attemptId: string, hash: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#blobs.get(hash));
  }
}

const pathOf = (mapIndex: string): MapIndex => (mapIndex === '' ? [] : mapIndex.split('.').map(Number));

const isUnder = (mapIndex: string, under: string): boolean =>
  under === '' || mapIndex === under || mapIndex.startsWith(`${under}.`);

const keyOf = (taskId: string, mapIndex: string, key: string): string => JSON.stringify([taskId, mapIndex, key]);
