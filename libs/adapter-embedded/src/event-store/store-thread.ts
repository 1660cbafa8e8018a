import { rmSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { assertNever, err, ok, type Result } from '@rondo/kernel';
import { databaseFault, openEventsDatabase, openSnapshotsDatabase, type DatabaseFault } from './database.ts';
import { Feed } from './feed.ts';
import type { AppendCall, Failure, FromThread, PendingRequest, Query, ToThread } from './messages.ts';
import { EventReader } from './reader.ts';
import { EventWriter, type Group } from './writer.ts';
import { dataPaths } from '../folder/paths.ts';
import { signingKey } from '../history/keys.ts';
import { HistorySeal } from '../history/seal.ts';
import { RunKeyTable } from '../run-keys/table.ts';

export interface StoreThreadOptions {
  readonly folder: string;
  readonly busyTimeoutMs: number;
  readonly maxPages: number;
  /** How often a head that is not signed yet is signed, in milliseconds. */
  readonly anchorMs: number;
}

interface Read {
  readonly port: MessagePort;
  readonly id: number;
  readonly query: Query;
}

interface QueuedCall extends AppendCall {
  readonly port: MessagePort;
}

/** Events that one transaction takes, so that nobody waits long for the first of them. */
const MAX_GROUP_EVENTS = 10_000;

/**
 * The thread that owns the files (I9). One cycle takes everything that waits at the ports, writes all appends of it in one
 * transaction, answers, pushes what is new to the subscribers, and reads at most one page, so that reads never hold up
 * appends for long.
 */
export class StoreThread {
  readonly #options: StoreThreadOptions;
  readonly #events: DatabaseSync;
  readonly #snapshots: DatabaseSync;
  readonly #readSnapshot: StatementSync;
  readonly #writeSnapshot: StatementSync;
  readonly #writer: EventWriter;
  readonly #reader: EventReader;
  readonly #feed: Feed;
  readonly #seal: HistorySeal;
  readonly #runKeys: RunKeyTable;
  readonly #anchorTimer: NodeJS.Timeout;
  readonly #ports = new Set<MessagePort>();
  readonly #ended: () => void;
  #appends: QueuedCall[] = [];
  #reads: Read[] = [];
  #cycling = false;
  #armed = false;
  #sealFault: Failure | undefined;

  private constructor(options: StoreThreadOptions, ended: () => void) {
    const paths = dataPaths(options.folder);
    this.#options = options;
    this.#ended = ended;
    this.#events = openEventsDatabase(paths.events, options);
    this.#snapshots = openSnapshotsDatabase(paths.snapshots, (file) => rmSync(file, { force: true }));
    this.#readSnapshot = this.#snapshots.prepare('select revision, state from snapshots where stream = ?');
    this.#writeSnapshot = this.#snapshots.prepare(
      'insert or replace into snapshots(stream, revision, state) values(?,?,?)',
    );
    this.#writer = new EventWriter(this.#events, Date.now);
    this.#reader = new EventReader(this.#events);
    this.#feed = new Feed(this.#writer.head);
    this.#seal = new HistorySeal(paths.anchors, signingKey(paths.keys), this.#events, this.#writer.head, Date.now);
    this.#runKeys = new RunKeyTable(paths.runKeys);
    this.#anchorTimer = setInterval(() => this.#sign(), options.anchorMs);
    this.#anchorTimer.unref();
  }

  static open(options: StoreThreadOptions, ended: () => void): Result<StoreThread, DatabaseFault> {
    try {
      return ok(new StoreThread(options, ended));
    } catch (error) {
      const fault = databaseFault(dataPaths(options.folder).events, error);
      return err(fault ?? { message: error instanceof Error ? error.message : String(error), retryable: false });
    }
  }

  connect(port: MessagePort): void {
    this.#ports.add(port);
    port.on('message', (message: ToThread) => {
      this.#take(port, message);
      this.#cycle();
    });
    port.on('close', () => this.#forget(port));
  }

  #forget(port: MessagePort): void {
    this.#ports.delete(port);
    this.#feed.unsubscribe(port, undefined);
  }

  #take(port: MessagePort, message: ToThread): void {
    switch (message.k) {
      case 'append':
        for (const call of callsOf(message.calls)) this.#appends.push({ ...call, port });
        return;
      case 'query':
        this.#reads.push({ port, id: message.id, query: message.query });
        return;
      case 'subscribe':
        return this.#feed.subscribe(port, message.sub, message.after, message.filter);
      case 'ack':
        return this.#feed.acknowledge(port, message.sub);
      case 'unsubscribe':
        return this.#feed.unsubscribe(port, message.sub);
      case 'bye':
        this.#forget(port);
        return port.close();
      default:
        return assertNever(message);
    }
  }

  #drain(): void {
    for (const port of this.#ports) {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        this.#take(port, next.message as ToThread);
    }
  }

  #cycle(): void {
    if (this.#cycling) return;
    this.#cycling = true;
    this.#drain();
    this.#appendAll();
    this.#readSome();
    this.#cycling = false;
    if (this.#armed || (this.#appends.length === 0 && this.#reads.length === 0 && !this.#feed.isLagging)) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      this.#cycle();
    });
  }

  #appendAll(): void {
    if (this.#appends.length === 0) return;
    const calls = this.#nextGroup();
    let group: Group;
    try {
      group = this.#writer.write(calls);
    } catch (error) {
      const failure = this.#failureOf(error);
      for (const [port, own] of byPort(calls))
        send(port, { k: 'failed', calls: own.map(({ call }) => call.id), error: failure });
      return;
    }
    for (const [port, own] of byPort(calls)) {
      const outcomes: number[] = [];
      for (const { call, index } of own) {
        const each = group.outcomes[index]!;
        outcomes.push(call.id, each.length / 3, ...each);
      }
      send(port, { k: 'appended', outcomes });
    }
    this.#feed.committed(group.events);
    this.#seal.committed(group.events, group.hashes);
  }

  #nextGroup(): readonly QueuedCall[] {
    let events = 0;
    let end = 0;
    while (end < this.#appends.length && events < MAX_GROUP_EVENTS) {
      for (const request of this.#appends[end]!.requests) events += request.count;
      end += 1;
    }
    return this.#appends.splice(0, end);
  }

  /** Answers from memory and by key at once; of the reads that cost a page, one. */
  #readSome(): void {
    const waiting = this.#reads;
    this.#reads = [];
    this.#createRunKeys(waiting);
    let paged = false;
    for (const read of waiting) {
      const isPage = read.query.q === 'stream' || read.query.q === 'all' || read.query.q === 'heads';
      if (isPage && paged) this.#reads.push(read);
      else this.#answer(read);
      paged ||= isPage;
    }
    if (paged || !this.#feed.isLagging) return;
    const head = this.#writer.head;
    this.#feed.nextPage((after, filter, limit) =>
      this.#reader.all({ q: 'all', after, upTo: null, limit, filter }, head),
    );
  }

  /** Keys that are asked for in one cycle are made in one transaction; each answer then finds its own. */
  #createRunKeys(reads: readonly Read[]): void {
    const made = reads.flatMap(({ query }) => (query.q === 'createRunKey' ? [query] : []));
    if (made.length < 2) return;
    try {
      this.#runKeys.create(made);
    } catch {
      // Each is tried by itself, and refused with its own error.
    }
  }

  #answer({ port, id, query }: Read): void {
    try {
      send(port, { k: 'answer', id, answer: this.#execute(query) });
    } catch (error) {
      send(port, { k: 'refused', id, error: this.#failureOf(error) });
    }
    if (query.q === 'shutdown') this.#end();
  }

  #execute(query: Query): unknown {
    switch (query.q) {
      case 'stream':
        return this.#reader.stream(query);
      case 'all':
        return this.#reader.all(query, this.#writer.head);
      case 'heads':
        return this.#reader.heads(query.prefix);
      case 'head':
        return this.#writer.head;
      case 'positionAt':
        return this.#reader.positionAt(query.time);
      case 'readSnapshot': {
        const row = this.#readSnapshot.get(query.stream);
        return row === undefined ? undefined : { revision: row['revision'], state: row['state'] };
      }
      case 'writeSnapshot':
        this.#writeSnapshot.run(query.stream, query.revision, query.state);
        return undefined;
      case 'createRunKey':
        return this.#runKeys.create([query])[0];
      case 'getRunKey':
        return this.#runKeys.get(query.id);
      case 'deleteRunKey':
        return this.#runKeys.delete(query.id);
      case 'finishRunKey':
        return this.#runKeys.finish(query.id);
      case 'unfinishedRunKeys':
        return this.#runKeys.unfinished(query.ids);
      case 'seal':
        this.#seal.sign();
        return undefined;
      case 'shutdown':
        return this.#shutdown();
      default:
        return assertNever(query);
    }
  }

  /** A head that could not be signed is signed at the next interval; the appends go on. */
  #sign(): void {
    try {
      this.#seal.sign();
      this.#sealFault = undefined;
    } catch (error) {
      this.#sealFault = this.#failureOf(error);
    }
  }

  #shutdown(): undefined {
    while (this.#appends.length > 0) this.#appendAll();
    this.#sign();
    clearInterval(this.#anchorTimer);
    this.#feed.close();
    this.#seal.close();
    this.#snapshots.close();
    this.#runKeys.close();
    this.#events.close();
    if (this.#sealFault !== undefined)
      throw new Error(`the head of the history could not be signed: ${this.#sealFault.message}`);
    return undefined;
  }

  #end(): void {
    for (const port of this.#ports) port.close();
    this.#ports.clear();
    this.#ended();
  }

  #failureOf(error: unknown): Failure {
    const fault = databaseFault(dataPaths(this.#options.folder).events, error);
    return (
      fault ?? { message: error instanceof Error ? (error.stack ?? error.message) : String(error), retryable: false }
    );
  }
}

function send(port: MessagePort, message: FromThread): void {
  port.postMessage(message);
}

function byPort(
  calls: readonly QueuedCall[],
): Map<MessagePort, { readonly call: QueuedCall; readonly index: number }[]> {
  const ports = new Map<MessagePort, { readonly call: QueuedCall; readonly index: number }[]>();
  for (const [index, call] of calls.entries()) {
    const own = ports.get(call.port);
    if (own === undefined) ports.set(call.port, [{ call, index }]);
    else own.push({ call, index });
  }
  return ports;
}

function callsOf(flat: readonly (string | number)[]): AppendCall[] {
  const calls: AppendCall[] = [];
  for (let at = 0; at < flat.length;) {
    const id = flat[at] as number;
    const requests: PendingRequest[] = [];
    const count = flat[at + 1] as number;
    at += 2;
    for (let i = 0; i < count; i++) {
      const [stream, expected, events] = [
        flat[at] as string,
        flat[at + 1] as PendingRequest['expected'],
        flat[at + 2] as number,
      ];
      requests.push({ stream, expected, flat, start: at + 3, count: events });
      at += 3 + events * 4;
    }
    calls.push({ id, requests });
  }
  return calls;
}
