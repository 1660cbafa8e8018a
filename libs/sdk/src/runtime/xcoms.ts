import type { XComValue } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import { show } from '../authoring/error.ts';
import { jsonOf } from '../authoring/json.ts';

/** I7: one value in line, and all values of one event together. */
const INLINE = 32 * 1024;
const TOGETHER = 48 * 1024;

/** What an attempt pushes, checked at once, stored when it has ended. */
export class XComs {
  readonly #values = new Map<string, Json>();

  push(key: string, value: unknown): void {
    if (typeof key !== 'string' || key === '' || key.length > 250)
      throw new TypeError(`the key of an XCom is ${show(key)}; allowed: a text of 1 to 250 characters`);
    const json = jsonOf(value);
    if (!json.ok) throw new TypeError(`XCom '${key}': ${json.error}`);
    this.#values.set(key, json.value);
  }

  /** The return value, and with `multipleOutputs` each of its keys. */
  pushReturn(value: unknown, multipleOutputs: boolean): void {
    if (multipleOutputs) {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw new TypeError(`the task has multipleOutputs and returned ${show(value)}; allowed: an object`);
      for (const [key, each] of Object.entries(value)) if (each !== undefined) this.push(key, each);
    }
    this.push('return_value', value);
  }

  /** Values in line as far as they fit into an event; the large ones by hash. Undefined: nothing was pushed. */
  async store(
    putBlob: (bytes: Uint8Array) => Promise<string>,
  ): Promise<Readonly<Record<string, XComValue>> | undefined> {
    if (this.#values.size === 0) return undefined;
    const sized = [...this.#values].map(([key, value]) => ({ key, value, bytes: sizeOf(value) }));
    let together = sized.reduce((sum, { bytes }) => sum + (bytes <= INLINE ? bytes : 0), 0);
    const outside = new Set(sized.filter(({ bytes }) => bytes > INLINE));
    for (const each of [...sized].sort((a, b) => b.bytes - a.bytes)) {
      if (together <= TOGETHER) break;
      if (outside.has(each)) continue;
      outside.add(each);
      together -= each.bytes;
    }
    const stored: Record<string, XComValue> = {};
    for (const each of sized)
      stored[each.key] = outside.has(each)
        ? { blob: await putBlob(Buffer.from(JSON.stringify(each.value))), bytes: each.bytes }
        : { value: each.value };
    return stored;
  }
}

function sizeOf(value: Json): number {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return 8;
  return Buffer.byteLength(JSON.stringify(value));
}
