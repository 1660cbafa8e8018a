import type { XComValue } from '@rondo/domain';
import type { Json, JsonObject } from '@rondo/kernel';
import { BLOBS, openXComBackend, type XComAbout, type XComBackend } from './backend.ts';
import { decodeValue, encodeValue } from './codec.ts';

/** I7: one value in line, and all values of one event together. */
export const INLINE_BYTES = 32 * 1024;
const TOGETHER_BYTES = 48 * 1024;
export const DEFAULT_MAX_XCOM_BYTES = 64 * 1024 * 1024;
const MAX_REFERENCE = 1_000;

/** How XComs are written and read, by the platform's configuration. */
export interface XComSettings {
  /** Bytes of JSON that one value may have. Default 64 MiB. */
  readonly maxBytes?: number;
  /** See `openXComBackend`. Default `blobs`. */
  readonly backend?: string;
  /** Values with more bytes go to the backend. Default, and at most, 32 KiB. */
  readonly thresholdBytes?: number;
  /** Registered types that may be written and read: names, or `acme.*`. Default: all. */
  readonly types?: readonly string[];
}

/** The platform's blob store, as an attempt reaches it. */
export interface Blobs {
  put(bytes: Uint8Array): Promise<string>;
  get(hash: string): Promise<Uint8Array | undefined>;
  /** Seals what a backend gets to keep. Absent: the run is not sealed. */
  seal?(bytes: Uint8Array): Promise<Uint8Array>;
  /** Opens what was sealed. */
  unseal?(bytes: Uint8Array): Promise<Uint8Array>;
}

/** How sealed bytes begin; no JSON does. */
const SEALED = Buffer.from('RONDO-SEALED-');

export interface Encoded {
  readonly key: string;
  readonly json: Json;
  readonly bytes: number;
}

const backends = new Map<string, Promise<XComBackend | undefined>>();

/** Values to what the history keeps of them, and back. */
export class XComStore {
  readonly #settings: XComSettings;
  readonly #blobs: Blobs;

  constructor(settings: XComSettings, blobs: Blobs) {
    this.#settings = settings;
    this.#blobs = blobs;
  }

  /** Throws a TypeError for what cannot be stored, a RangeError for what is too large. */
  encode(key: string, value: unknown, taskId: string): Encoded {
    const { types, maxBytes = DEFAULT_MAX_XCOM_BYTES } = this.#settings;
    const json = encodeValue(value, types);
    if (!json.ok) throw new TypeError(`XCom '${key}': ${json.error}`);
    const bytes = sizeOf(json.value);
    if (bytes > maxBytes)
      throw new RangeError(
        `XCom '${key}' of task '${taskId}' has ${bytes} bytes as JSON; at most ${maxBytes} are allowed (--max-xcom-bytes): write it to a file or a table and push its path or key`,
      );
    return { key, json: json.value, bytes };
  }

  /**
   * Values in line as far as they fit into an event, the others where the configuration says. `limits`: bytes above which the
   * value of a key is not in line, where that is less than for others.
   */
  async write(
    values: readonly Encoded[],
    about: Omit<XComAbout, 'key' | 'bytes'>,
    limits: Readonly<Record<string, number>> = {},
    reserved = 0,
  ): Promise<Readonly<Record<string, XComValue>>> {
    const backend = await this.#backend();
    const outside = this.#outside(values, { about, backend, limits, reserved });
    const stored: Record<string, XComValue> = {};
    for (const each of values)
      stored[each.key] = outside.has(each) ? await this.#put(each, about, backend) : { value: each.json };
    return stored;
  }

  #outside(
    values: readonly Encoded[],
    {
      about,
      backend,
      limits,
      reserved,
    }: {
      readonly about: Omit<XComAbout, 'key' | 'bytes'>;
      readonly backend: XComBackend | undefined;
      readonly limits: Readonly<Record<string, number>>;
      readonly reserved: number;
    },
  ): ReadonlySet<Encoded> {
    const threshold = Math.min(this.#settings.thresholdBytes ?? INLINE_BYTES, INLINE_BYTES);
    const isOutside = ({ key, bytes }: Encoded): boolean =>
      bytes > (limits[key] ?? INLINE_BYTES) ||
      (backend?.takes?.({ ...about, key, bytes }, threshold) ?? bytes > threshold);
    const outside = new Set(values.filter(isOutside));
    let together = values.reduce((sum, each) => sum + (outside.has(each) ? 0 : each.bytes), 0);
    for (const each of values.toSorted((a, b) => b.bytes - a.bytes)) {
      if (together <= TOGETHER_BYTES - reserved) break;
      if (outside.has(each)) continue;
      outside.add(each);
      together -= each.bytes;
    }
    return outside;
  }

  async #put(
    { key, json, bytes }: Encoded,
    about: Omit<XComAbout, 'key' | 'bytes'>,
    backend: XComBackend | undefined,
  ): Promise<XComValue> {
    const content = Buffer.from(JSON.stringify(json));
    if (backend === undefined) return { blob: await this.#blobs.put(content), bytes };
    const kept = (await this.#blobs.seal?.(content)) ?? content;
    const reference: unknown = await backend.put(kept, { ...about, key, bytes });
    if (typeof reference !== 'string' || reference === '' || reference.length > MAX_REFERENCE)
      throw new TypeError(
        `the XCom backend '${backend.name}' answered a reference that is none; allowed: a text of 1 to ${MAX_REFERENCE} characters`,
      );
    return { value: { $type: REF, $value: { backend: backend.name, reference, bytes } } };
  }

  /** The value out of what a row or an input holds; a reference is followed. */
  async read(stored: Json): Promise<unknown> {
    return this.decode(referenceOf(stored) === undefined ? stored : (await this.fetch(stored)).json);
  }

  /** The value out of the JSON that stands for it. */
  decode(json: Json): unknown {
    return decodeValue(json, this.#settings.types);
  }

  /** Where a value that is not in line lies, unique among all; undefined for one in line. */
  placeOf(stored: Json): string | undefined {
    const ref = referenceOf(stored);
    return ref === undefined ? undefined : JSON.stringify([ref.backend, ref.reference]);
  }

  /** The JSON of a value that is not in line. */
  async fetch(stored: Json): Promise<{ readonly json: Json; readonly bytes: number }> {
    const ref = referenceOf(stored)!;
    return { json: await this.#fetch(ref), bytes: ref.bytes };
  }

  async fetchBlob(hash: string): Promise<{ readonly json: Json; readonly bytes: number }> {
    const bytes = await this.#blobs.get(hash);
    if (bytes === undefined) throw new Error(`the value with the hash ${hash} is not in the store any more`);
    return { json: parsed(bytes), bytes: bytes.byteLength };
  }

  /** The value out of the blob store. */
  async readBlob(hash: string): Promise<unknown> {
    return this.decode((await this.fetchBlob(hash)).json);
  }

  async #fetch({ backend: name, reference }: Reference): Promise<Json> {
    const backend = await this.#backend();
    if (backend?.name !== name)
      throw new Error(
        `the value is in the XCom backend '${name}', and the platform runs with '${backend?.name ?? BLOBS}' (--xcom-backend)`,
      );
    const bytes = await backend.get(reference);
    if (bytes === undefined) throw new Error(`the XCom backend '${name}' has nothing under '${reference}' any more`);
    const isSealed = Buffer.from(bytes.subarray(0, SEALED.length)).equals(SEALED);
    return parsed(isSealed && this.#blobs.unseal !== undefined ? await this.#blobs.unseal(bytes) : bytes);
  }

  /** Opened once for each process. */
  #backend(): Promise<XComBackend | undefined> {
    const spec = this.#settings.backend ?? BLOBS;
    const known = backends.get(spec);
    if (known !== undefined) return known;
    const opened = openXComBackend(spec);
    backends.set(spec, opened);
    opened.catch(() => backends.delete(spec));
    return opened;
  }
}

/** A plain object of a user's that looks like it is escaped by the codec, as is everything with `$type`. */
const REF = 'ref';

interface Reference {
  readonly backend: string;
  readonly reference: string;
  readonly bytes: number;
}

function referenceOf(stored: Json): Reference | undefined {
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) return undefined;
  const { $type: type, $value: value } = stored as JsonObject;
  return type === REF ? (value as unknown as Reference) : undefined;
}

const parsed = (bytes: Uint8Array): Json => JSON.parse(Buffer.from(bytes).toString('utf8')) as Json;

function sizeOf(value: Json): number {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return 8;
  return Buffer.byteLength(JSON.stringify(value));
}
