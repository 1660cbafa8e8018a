import type { AttemptRef, XComValue } from '@rondo/domain';
import { show } from '../authoring/error.ts';
import type { Encoded, XComStore } from '../xcoms/store.ts';

/** What an attempt pushes, checked at once, stored when it has ended. */
export class XComs {
  readonly #store: XComStore;
  readonly #attempt: AttemptRef;
  readonly #values = new Map<string, Encoded & { readonly value: unknown }>();

  constructor(store: XComStore, attempt: AttemptRef) {
    this.#store = store;
    this.#attempt = attempt;
  }

  push(key: string, value: unknown): void {
    if (typeof key !== 'string' || key === '' || key.length > 250)
      throw new TypeError(`the key of an XCom is ${show(key)}; allowed: a text of 1 to 250 characters`);
    this.#values.set(key, { ...this.#store.encode(key, value, this.#attempt.taskId), value });
  }

  /** What this attempt has pushed so far. */
  pushed(key: string): { readonly value: unknown } | undefined {
    return this.#values.get(key);
  }

  /** The return value, and with `multipleOutputs` each of its keys. */
  pushReturn(value: unknown, multipleOutputs: boolean): void {
    if (multipleOutputs) for (const [key, each] of outputsOf(value)) if (each !== undefined) this.push(key, each);
    this.push('return_value', value);
  }

  /**
   * Undefined: nothing was pushed. `limits`: bytes of JSON above which the value of a key is not in line; `reserved`: bytes of
   * their event that something else takes.
   */
  async store(
    limits: Readonly<Record<string, number>> = {},
    reserved = 0,
  ): Promise<Readonly<Record<string, XComValue>> | undefined> {
    if (this.#values.size === 0) return undefined;
    const { mapIndex, ...attempt } = this.#attempt;
    return this.#store.write(
      [...this.#values.values()],
      { ...attempt, mapIndex: mapIndex.join('.') },
      limits,
      reserved,
    );
  }
}

function outputsOf(value: unknown): Iterable<readonly [string, unknown]> {
  if (value instanceof Map) return value as ReadonlyMap<string, unknown>;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`the task has multipleOutputs and returned ${show(value)}; allowed: an object`);
  return Object.entries(value);
}
