import { AsyncLocalStorage } from 'node:async_hooks';
import { PokeTimes, Watch, type AttemptHost, type AttemptSettings } from '@rondo/sdk';
import { Heap, type TaskError, type WaitAnswer, type WatchAssignment } from '@rondo/domain';
import { missingDag, type LoadedBundle } from './bundle.ts';
import type { Channel } from './channel.ts';
import type { Denials } from './denials.ts';
import { FROM_CHILD, type UnwatchFrame, type WaitedFrame, type WatchFrame, type WatchLimits } from './frames.ts';
import type { Masker } from './masker.ts';
import { captureOutput } from './output.ts';
import type { ServiceClient } from './services.ts';

export interface WatchesOptions {
  readonly channel: Channel;
  readonly services: ServiceClient;
  readonly masker: Masker;
  readonly denials: Denials | undefined;
  readonly cacheFolder: string;
  readonly settings: AttemptSettings;
  /** Name of the DAG file, for what cannot be found in it. */
  readonly file: string;
  readonly limits: WatchLimits;
}

/** One wait that is looked after. */
interface Entry {
  readonly number: number;
  readonly input: WatchAssignment;
  readonly watch: Watch;
  /** Undefined: a trigger, which is run once. */
  readonly times: PokeTimes | undefined;
  isGone: boolean;
  /** Its end by executionTimeout is in the heap. */
  expires: boolean;
  /** Set while it is poked. */
  abort: AbortController | undefined;
  /** Counts its pokes: what is due for an earlier one is void. */
  turn: number;
}

interface Due {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly entry: Entry;
  readonly what: 'poke' | 'limit' | 'abandon' | 'expire';
  readonly turn: number;
}

/** Wake-ups that are due within this time are one. */
const TICK_MS = 20;
const BEAT_MS = 1_000;
/** How long a poke that was aborted may take to say what it makes of it. */
const ABANDON_MS = 1_000;
/** A poke that holds the loop for so long is told on in its log. */
const SLOW_MS = 500;
const NEVER_ABORTED = new AbortController().signal;

/**
 * The waits of one bundle, side by side in this process: one heap and one timer for all of them, a context for each. A poke
 * that finds nothing is told to nobody (I8). What is poked is told to the worker before it begins: should the loop stand still, the worker knows whom to suspect.
 */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #bundle: LoadedBundle;
  readonly #env = { ...process.env } as Record<string, string>;
  readonly #entries = new Map<string, Entry>();
  readonly #due = new Heap<Due>((a, b) => a.at < b.at);
  readonly #owner = new AsyncLocalStorage<Entry>();
  /** Due, and waiting for one of the places. */
  readonly #queue = new Fifo<Entry>();
  /** Suspects are poked one at a time, so that the one that blocks is known. */
  readonly #suspects = new Fifo<Entry>();
  #suspect: Entry | undefined;
  #polls = 0;
  #ended: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;

  constructor(options: WatchesOptions, bundle: LoadedBundle) {
    this.#options = options;
    this.#bundle = bundle;
    captureOutput((stream, text) => {
      const entry = this.#owner.getStore();
      if (entry !== undefined) this.#log(entry, stream === 'stderr' ? 'warn' : 'info', text);
      return entry !== undefined;
    });
    const beat = (): void => options.channel.send(FROM_CHILD.beat, JSON.stringify({ ended: this.#ended.splice(0) }));
    beat();
    setInterval(beat, BEAT_MS);
  }

  /** Whose code runs now. */
  get current(): string | undefined {
    return this.#owner.getStore()?.input.id;
  }

  add({ n, suspect, input }: WatchFrame): void {
    const dag = this.#bundle.dags.get(input.assignment.attempt.dagId);
    if (dag === undefined) {
      const error = {
        kind: 'load',
        ...missingDag(this.#bundle, input.assignment.attempt.dagId, this.#options.file),
      } as const;
      return this.#send({ id: input.id, answer: { kind: 'failed', error, retryable: true } });
    }
    const now = Date.now();
    const { wait } = input;
    const entry: Entry = this.#entry(
      n,
      input,
      dag,
      wait.kind === 'poll' ? new PokeTimes(input, wait, spreadOf(n), now) : undefined,
    );
    this.#entries.set(input.id, entry);
    this.#options.services.open(input.id);
    this.#expire(entry);
    if (suspect) this.#suspects.push(entry);
    if (suspect) this.#fill();
    else if (entry.times === undefined) this.#begin(entry);
    else this.#at(entry.times.next(now), entry, 'poke');
  }

  cancel({ ids, reason }: UnwatchFrame): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      this.#forget(entry);
      entry.abort?.abort(new DOMException(reason, 'AbortError'));
      if (entry.abort !== undefined) this.#leave(entry);
    }
    this.#fill();
  }

  /** An error that nobody caught: its wait fails, and the process ends. */
  crash(error: TaskError): void {
    const entry = this.#owner.getStore();
    if (entry === undefined || entry.isGone) return;
    this.#send({ id: entry.input.id, answer: { kind: 'failed', error, retryable: true }, crashed: true });
  }

  #entry(number: number, input: WatchAssignment, dag: AttemptHost['dag'], times: PokeTimes | undefined): Entry {
    const { services, masker, cacheFolder, settings } = this.#options;
    const host: AttemptHost = {
      dag,
      services: services.services,
      get signal() {
        return entry.abort?.signal ?? NEVER_ABORTED;
      },
      log: (level, text) => this.#log(entry, level, text),
      env: this.#env,
      root: this.#bundle.root,
      cacheFolder,
      settings,
      keepsConnections: true,
      mask: (text) => masker.mask(text),
    };
    const watch = new Watch(host, input);
    const entry: Entry = { number, input, watch, times, isGone: false, expires: false, abort: undefined, turn: 0 };
    return entry;
  }

  /** An instance of a mapped sensor knows its limit once it was poked. */
  #expire(entry: Entry): void {
    const { expiresAt } = entry.watch;
    if (entry.expires || expiresAt === undefined) return;
    entry.expires = true;
    this.#at(expiresAt, entry, 'expire');
  }

  #at(at: number, entry: Entry, what: Due['what']): void {
    this.#due.push({ at, entry, what, turn: entry.turn });
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#tick(), Math.min(Math.max(0, at - Date.now()) + TICK_MS, 2 ** 31 - 1));
  }

  #tick(): void {
    const now = Date.now();
    for (let due = this.#due.peek(); due !== undefined && due.at <= now; due = this.#due.peek()) {
      this.#due.pop();
      const { entry, what, turn } = due;
      if (entry.isGone || (what !== 'expire' && turn !== entry.turn)) continue;
      this.#meet(entry, what, now);
    }
    this.#fill();
    this.#timerAt = Infinity;
    const next = this.#due.peek();
    if (next === undefined) return;
    this.#timerAt = next.at;
    this.#timer = setTimeout(() => this.#tick(), Math.min(Math.max(0, next.at - now) + TICK_MS, 2 ** 31 - 1));
  }

  #meet(entry: Entry, what: Due['what'], now: number): void {
    const { pokeMs } = this.#options.limits;
    const { watch } = entry;
    switch (what) {
      case 'poke':
        return this.#queue.push(entry);
      case 'limit':
        entry.abort?.abort(
          new DOMException(`the poke took longer than ${(watch.pokeLimitMs ?? pokeMs) / 1_000} s`, 'TimeoutError'),
        );
        return this.#at(now + ABANDON_MS, entry, 'abandon');
      case 'abandon':
        return this.#finish(entry, entry.turn, watch.expired('a poke', watch.pokeLimitMs ?? pokeMs));
      case 'expire': {
        const limit = watch.executionTimeoutMs ?? 0;
        entry.abort?.abort(new DOMException('executionTimeout has come', 'TimeoutError'));
        if (entry.abort !== undefined) this.#leave(entry);
        return this.#answer(entry, watch.expired('the sensor', limit));
      }
    }
  }

  #fill(): void {
    while (this.#polls < this.#options.limits.atOnce) {
      const entry = this.#queue.shift();
      if (entry === undefined) break;
      if (!entry.isGone) this.#begin(entry);
    }
    while (this.#suspect === undefined) {
      const entry = this.#suspects.shift();
      if (entry === undefined) return;
      if (entry.isGone) continue;
      this.#suspect = entry;
      this.#begin(entry);
    }
  }

  #begin(entry: Entry): void {
    const turn = ++entry.turn;
    entry.abort = new AbortController();
    if (entry.times !== undefined) {
      this.#polls++;
      this.#at(Date.now() + (entry.watch.pokeLimitMs ?? this.#options.limits.pokeMs), entry, 'limit');
    }
    this.#options.channel.send(FROM_CHILD.poking, JSON.stringify({ n: entry.number, ended: this.#ended.splice(0) }));
    const startedAt = performance.now();
    const looking = this.#owner.run(entry, () => entry.watch.look());
    const heldMs = performance.now() - startedAt;
    if (heldMs > SLOW_MS)
      this.#log(
        entry,
        'warn',
        `the poke has held its process for ${Math.round(heldMs)} ms, and the waits beside it: use what is async`,
      );
    // A trigger runs for long: only how it begins can be told from what the others do.
    if (entry.times === undefined) this.#settle(entry);
    void looking.then((answer) => this.#finish(entry, turn, answer));
  }

  /** The end of a poke; of one that was given up it comes too late. */
  #finish(entry: Entry, turn: number, answer: WaitAnswer | undefined): void {
    if (entry.isGone || entry.turn !== turn || entry.abort === undefined) return;
    this.#leave(entry);
    if (answer !== undefined) this.#answer(entry, this.#clear(answer));
    else {
      this.#expire(entry);
      this.#at(entry.times!.next(Date.now()), entry, 'poke');
    }
    this.#fill();
  }

  #leave(entry: Entry): void {
    entry.abort = undefined;
    entry.turn++;
    if (entry.times === undefined) return;
    this.#polls--;
    this.#settle(entry);
  }

  #settle(entry: Entry): void {
    if (this.#suspect === entry) this.#suspect = undefined;
    this.#ended.push(entry.number);
  }

  #answer(entry: Entry, answer: WaitAnswer): void {
    this.#forget(entry);
    this.#send({ id: entry.input.id, answer });
  }

  #forget(entry: Entry): void {
    entry.isGone = true;
    this.#entries.delete(entry.input.id);
    this.#options.services.close(entry.input.id);
  }

  #clear(answer: WaitAnswer): WaitAnswer {
    const { denials } = this.#options;
    if (answer.kind !== 'failed' || denials === undefined) return answer;
    return { ...answer, error: denials.explained(answer.error) };
  }

  #send(frame: WaitedFrame): void {
    this.#options.channel.send(FROM_CHILD.waited, JSON.stringify(frame));
  }

  #log(entry: Entry, level: 'debug' | 'info' | 'warn' | 'error', text: string): void {
    if (entry.isGone) return;
    this.#options.channel.send(FROM_CHILD.log, JSON.stringify({ at: Date.now(), level, text, id: entry.input.id }));
  }
}

/** From 0 to 1, far apart for numbers that follow each other: the golden ratio's. */
function spreadOf(n: number): number {
  return (n * 0.618_033_988_749_895) % 1;
}

/** First in, first out. */
class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    if (this.#head > 512 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
