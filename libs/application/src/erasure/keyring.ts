import { randomBytes } from 'node:crypto';
import type { Sealed } from '@rondo/domain';
import type { RunKeys, SecretBox, StoredRunKey } from '@rondo/ports';
import { RUN_KEY_BYTES } from './tokens.ts';

export type FoundKey = Uint8Array | 'erased' | undefined;

/** How long another process may still open what one has erased. */
const KEEP_MS = 30_000;
const MAX_KEPT = 10_000;

/** The run is erased: nothing can be sealed with its key any more. */
export class RunErasedError extends Error {
  override readonly name = 'RunErasedError';
}

interface Kept {
  readonly key: FoundKey;
  /** Milliseconds on the process's own clock. */
  readonly until: number;
}

/**
 * The keys of runs in clear, for a while, over the store that keeps them sealed with the platform's secret key.
 */
export class RunKeyring {
  private readonly keys: RunKeys;
  private readonly secrets: SecretBox;
  private readonly now: () => number;
  private readonly kept = new Map<string, Kept>();

  constructor(keys: RunKeys, secrets: SecretBox, now: () => number = () => performance.now()) {
    this.keys = keys;
    this.secrets = secrets;
    this.now = now;
  }

  /** A key that is in memory. */
  peek(id: string): Uint8Array | undefined {
    const kept = this.kept.get(id);
    return kept === undefined || kept.until < this.now() || !(kept.key instanceof Uint8Array) ? undefined : kept.key;
  }

  /** Makes it when there is none: durable when it resolves. Throws RunErasedError. */
  async need(id: string): Promise<Uint8Array> {
    const known = this.peek(id);
    if (known !== undefined) return known;
    const fresh = this.secrets.seal(randomBytes(RUN_KEY_BYTES).toString('base64'), contextOf(id));
    const key = this.keep(id, await this.keys.create(id, JSON.stringify(fresh)));
    if (key instanceof Uint8Array) return key;
    throw new RunErasedError(`the run with the key ${id} is erased: nothing can be written to it`);
  }

  /** Undefined: there is none, and never was, or the store of keys has been lost. */
  async find(id: string): Promise<FoundKey> {
    const kept = this.kept.get(id);
    if (kept !== undefined && kept.until >= this.now()) return kept.key;
    return this.keep(id, await this.keys.get(id));
  }

  async delete(id: string): Promise<void> {
    // Whoever is asking for it just now keeps nothing.
    this.forget(id);
    await this.keys.delete(id);
    this.forget(id);
  }

  finish(id: string): Promise<void> {
    return this.keys.finish(id);
  }

  unfinished(ids: readonly string[]): Promise<readonly string[]> {
    return this.keys.unfinished(ids);
  }

  private keep(id: string, stored: StoredRunKey | undefined): FoundKey {
    if (this.kept.get(id)?.key === 'erased') return 'erased';
    const key = stored === undefined || stored === 'erased' ? stored : this.opened(id, stored.key);
    this.put(id, { key, until: key === 'erased' ? Infinity : this.now() + KEEP_MS });
    return key;
  }

  private forget(id: string): void {
    this.put(id, { key: 'erased', until: Infinity });
  }

  private put(id: string, kept: Kept): void {
    this.kept.delete(id);
    this.kept.set(id, kept);
    if (this.kept.size > MAX_KEPT) this.kept.delete(this.kept.keys().next().value!);
  }

  private opened(id: string, text: string): Uint8Array {
    return Buffer.from(this.secrets.open(JSON.parse(text) as Sealed, contextOf(id)), 'base64');
  }
}

const contextOf = (id: string): string => `run-key:${id}`;
