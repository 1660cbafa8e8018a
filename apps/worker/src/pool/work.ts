import type { Assignment, AttemptRef, BundleRef, CallbackAssignment } from '@rondo/domain';

/** Something for a child to do. */
export interface Work {
  readonly id: string;
  readonly kind: 'attempt' | 'callback';
  readonly bundle: BundleRef;
  readonly timeoutMs?: number;
  /** Whose log takes what is printed. Absent: a callback of a DAG, whose output goes to the worker's notices. */
  readonly attempt?: AttemptRef;
  /** What is kept of it is shed as soon as it may be (I14). */
  readonly isSealed?: boolean;
  /** The assignment, as the child gets it. */
  readonly json: string;
}

/** From the assignment as JSON, the form in which it travels. */
export function attemptWork(json: string): Work {
  const { id, bundle, attempt, executionTimeoutMs, run } = JSON.parse(json) as Assignment;
  return {
    id,
    kind: 'attempt',
    bundle,
    attempt,
    json,
    ...(run.sealed === true ? { isSealed: true } : {}),
    ...(executionTimeoutMs === undefined ? {} : { timeoutMs: executionTimeoutMs }),
  };
}

export function callbackWork(json: string): Work {
  const { id, bundle, attempt } = JSON.parse(json) as CallbackAssignment;
  return { id, kind: 'callback', bundle, json, ...(attempt === undefined ? {} : { attempt }) };
}

export function bundleKey({ hash, file }: BundleRef): string {
  return `${hash}/${file}`;
}

interface Entry {
  readonly work: Work;
  readonly at: number;
  readonly number: number;
  isTaken: boolean;
}

/** Work that waits for a child, in order, as a whole and by bundle. All but `bundles` and `clear` take constant time. */
export class WorkQueue {
  readonly #byId = new Map<string, Entry>();
  readonly #byBundle = new Map<string, Fifo>();
  readonly #all = new Fifo();
  #count = 0;

  get size(): number {
    return this.#byId.size;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  push(work: Work, now: number): void {
    const entry: Entry = { work, at: now, number: ++this.#count, isTaken: false };
    this.#byId.set(work.id, entry);
    this.#all.push(entry);
    const key = bundleKey(work.bundle);
    let own = this.#byBundle.get(key);
    if (own === undefined) this.#byBundle.set(key, (own = new Fifo()));
    own.push(entry);
  }

  hasBundle(key: string): boolean {
    return this.#byBundle.has(key);
  }

  remove(id: string): Work | undefined {
    const entry = this.#byId.get(id);
    return entry === undefined ? undefined : this.#take(entry);
  }

  /** What has waited longest: its bundle, and since when. */
  oldest(): { readonly key: string; readonly at: number } | undefined {
    const entry = this.#all.first();
    return entry === undefined ? undefined : { key: bundleKey(entry.work.bundle), at: entry.at };
  }

  /** The oldest of a bundle. */
  takeOldest(key: string): Work | undefined {
    const own = this.#byBundle.get(key)?.first();
    return own === undefined ? undefined : this.#take(own);
  }

  /** Bundles for which work waits, and since when: the one that has waited longest first. */
  bundles(): { readonly key: string; readonly at: number }[] {
    const heads = [...this.#byBundle].map(([key, fifo]) => ({ key, head: fifo.first()! }));
    heads.sort((a, b) => a.head.number - b.head.number);
    return heads.map(({ key, head }) => ({ key, at: head.at }));
  }

  clear(): Work[] {
    const left = [...this.#byId.values()].map(({ work }) => work);
    for (const { id } of left) this.remove(id);
    return left;
  }

  #take(entry: Entry): Work {
    entry.isTaken = true;
    this.#byId.delete(entry.work.id);
    const key = bundleKey(entry.work.bundle);
    if (this.#byBundle.get(key)?.first() === undefined) this.#byBundle.delete(key);
    return entry.work;
  }
}

/** First in, first out; what was taken elsewhere is dropped when it comes to the front. */
class Fifo {
  #entries: Entry[] = [];
  #head = 0;

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  first(): Entry | undefined {
    while (this.#head < this.#entries.length && this.#entries[this.#head]!.isTaken) this.#head++;
    if (this.#head > 1_024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return this.#entries[this.#head];
  }
}
