import type { MessagePort } from 'node:worker_threads';
import type { Position, RecordedEvent, StreamFilter } from '@rondo/ports';
import type { AllPage, FlatEvents, FromThread } from './messages.ts';
import { pageOf, PAGE_EVENTS } from './reader.ts';

/** Batches that may be on their way to a subscriber before it has settled one. */
const CREDIT = 2;
const TAIL_EVENTS = 16_384;
const TAIL_CHARS = 16 * 1024 * 1024;
/** How long the news that nothing passed the filter may wait for company. */
const EMPTY_DELAY_MS = 10;

interface Subscriber {
  readonly port: MessagePort;
  readonly sub: number;
  readonly filter: StreamFilter;
  /** Everything up to here has been looked at; `sent`: and the subscriber knows. */
  cursor: Position;
  sent: Position;
  credit: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Pushes committed events to subscribers. One that keeps up is served from memory, in the cycle that committed; one that
 * lags behind the newest events held in memory waits for pages of the database, which `nextPage` reads one at a time.
 */
export class Feed {
  readonly #subscribers = new Set<Subscriber>();
  readonly #lagging = new Set<Subscriber>();
  #tail: RecordedEvent[] = [];
  #tailChars = 0;
  #head: Position;

  constructor(head: Position) {
    this.#head = head;
  }

  subscribe(port: MessagePort, sub: number, after: Position, filter: StreamFilter): void {
    const subscriber = { port, sub, filter, cursor: after, sent: after, credit: CREDIT, timer: undefined };
    this.#subscribers.add(subscriber);
    this.#pump(subscriber);
  }

  unsubscribe(port: MessagePort, sub: number | undefined): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.port !== port || (sub !== undefined && subscriber.sub !== sub)) continue;
      clearTimeout(subscriber.timer);
      this.#subscribers.delete(subscriber);
      this.#lagging.delete(subscriber);
    }
  }

  acknowledge(port: MessagePort, sub: number): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.port !== port || subscriber.sub !== sub) continue;
      subscriber.credit += 1;
      this.#pump(subscriber);
    }
  }

  committed(events: readonly RecordedEvent[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.#head = last.position;
    for (const e of events) {
      this.#tail.push(e);
      this.#tailChars += e.data.length;
    }
    for (const subscriber of this.#subscribers) this.#pump(subscriber);
    if (this.#tail.length > TAIL_EVENTS || this.#tailChars > TAIL_CHARS) this.#cutTail();
  }

  #cutTail(): void {
    const kept = this.#tail.slice(-TAIL_EVENTS / 2);
    let chars = kept.reduce((sum, e) => sum + e.data.length, 0);
    let cut = 0;
    while (chars > TAIL_CHARS / 2 && cut < kept.length) chars -= kept[cut++]!.data.length;
    this.#tail = kept.slice(cut);
    this.#tailChars = chars;
  }

  #pump(subscriber: Subscriber): void {
    if (this.#lagging.has(subscriber)) return;
    const base = this.#tail[0]?.position ?? Infinity;
    while (subscriber.credit > 0 && subscriber.cursor < this.#head) {
      if (subscriber.cursor + 1 < base) {
        this.#lagging.add(subscriber);
        return;
      }
      const { flat, end } = pageOf(this.#tail, subscriber.cursor + 1 - base, subscriber.filter);
      this.#deliver(subscriber, flat, base + end - 1);
    }
  }

  #deliver(subscriber: Subscriber, events: FlatEvents, through: Position): void {
    subscriber.cursor = through;
    if (events.length > 0) this.#send(subscriber, events);
    else subscriber.timer ??= setTimeout(() => this.#sendThrough(subscriber), EMPTY_DELAY_MS);
  }

  #sendThrough(subscriber: Subscriber): void {
    subscriber.timer = undefined;
    if (subscriber.sent >= subscriber.cursor) return;
    if (subscriber.credit > 0) this.#send(subscriber, []);
    else subscriber.timer = setTimeout(() => this.#sendThrough(subscriber), EMPTY_DELAY_MS);
  }

  #send(subscriber: Subscriber, events: FlatEvents): void {
    subscriber.credit -= 1;
    subscriber.sent = subscriber.cursor;
    const message: FromThread = { k: 'batch', sub: subscriber.sub, events, through: subscriber.cursor };
    subscriber.port.postMessage(message);
  }

  get isLagging(): boolean {
    return this.#lagging.size > 0;
  }

  /** One page for the subscriber that has waited longest. */
  nextPage(read: (after: Position, filter: StreamFilter, limit: number) => AllPage): void {
    for (const subscriber of this.#lagging) {
      this.#lagging.delete(subscriber);
      const page = read(subscriber.cursor, subscriber.filter, PAGE_EVENTS);
      this.#deliver(subscriber, page.events, page.through);
      this.#pump(subscriber);
      return;
    }
  }

  close(): void {
    for (const subscriber of this.#subscribers) clearTimeout(subscriber.timer);
    this.#subscribers.clear();
    this.#lagging.clear();
  }
}
