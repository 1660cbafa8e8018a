import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { failPoint } from '@rondo/kernel';
import type { ExpectedRevision, Position, RecordedEvent } from '@rondo/ports';
import { eventHash, sealedMeta } from '@rondo/contracts';
import { markOf } from './mark.ts';
import type { AppendCall, PendingRequest } from './messages.ts';

interface StreamState {
  readonly id: number;
  revision: number;
  /** Hash of the last event; `''` before the first. */
  hash: string;
}

/** What one transaction wrote. */
export interface Group {
  readonly events: readonly RecordedEvent[];
  readonly hashes: readonly string[];
  /** For each call its outcomes, three numbers each: see `FromThread`. */
  readonly outcomes: readonly (readonly number[])[];
}

const MAX_CACHED_STREAMS = 100_000;

/**
 * Appends many calls in one transaction. Every revision is checked in memory before the first row of its request is
 * written, so that a conflict never needs a rollback and never touches another call.
 */
export class EventWriter {
  readonly #db: DatabaseSync;
  readonly #now: () => number;
  readonly #streams = new Map<string, StreamState>();
  readonly #sql: Readonly<Record<keyof typeof SQL, StatementSync>>;
  #head: Position = 0;
  /** The stream of the event at `#head`. */
  #lastStream = 0;
  #lastTime: number;
  #open = false;
  #failed = false;
  #events: RecordedEvent[] = [];
  #hashes: string[] = [];

  constructor(db: DatabaseSync, now: () => number) {
    this.#db = db;
    this.#now = now;
    this.#sql = prepareAll(db);
    this.#readHead();
    this.#lastTime = numberOf(this.#sql.lastTime.get(), 'time');
  }

  #readHead(): void {
    const last = this.#sql.head.get();
    this.#head = last === undefined ? 0 : numberOf(last, 'position');
    this.#lastStream = last === undefined ? 0 : numberOf(last, 'stream');
  }

  /** The position of the last committed event. */
  get head(): Position {
    return this.#head;
  }

  /** Throws when the database could not write: then nothing of the group is there. */
  write(calls: readonly AppendCall[]): Group {
    this.#events = [];
    this.#hashes = [];
    let before = this.#head;
    try {
      if (this.#failed) this.#reload();
      before = this.#head;
      const outcomes = calls.map((call) => this.#writeCall(call));
      this.#commit();
      return { events: this.#events, hashes: this.#hashes, outcomes };
    } catch (error) {
      this.#failed = true;
      this.#head = before;
      this.#rollback();
      throw error;
    }
  }

  /** After a failure nothing that was kept in memory counts. */
  #reload(): void {
    this.#streams.clear();
    this.#readHead();
    this.#failed = false;
  }

  #writeCall(call: AppendCall): number[] {
    const outcomes: number[] = [];
    for (const request of call.requests) {
      if (!this.#writeRequest(request, outcomes)) break;
    }
    return outcomes;
  }

  #writeRequest(request: PendingRequest, outcomes: number[]): boolean {
    const { stream, expected, count } = request;
    const known = this.#load(stream);
    const actual = known?.revision ?? -1;
    const wanted = expected === 'noStream' ? -1 : expected;
    if (wanted !== actual) {
      const repeated = known === undefined ? undefined : this.#repeated(known, expected, request);
      if (repeated !== undefined) {
        outcomes.push(1, repeated.revision, repeated.position);
        return true;
      }
      if (wanted !== 'any') {
        outcomes.push(0, actual, 0);
        return false;
      }
    }
    if (count === 0) {
      outcomes.push(1, actual, this.#head);
      return true;
    }
    this.#begin();
    this.#insert(known ?? this.#create(stream), request);
    outcomes.push(1, actual + count, this.#head);
    return true;
  }

  /** I11: where the last of these events stands, if they stand already, all of them and at this place. */
  #repeated(
    state: StreamState,
    expected: ExpectedRevision,
    request: PendingRequest,
  ): { revision: number; position: number } | undefined {
    const { flat, start, count } = request;
    if (count === 0) return undefined;
    const first =
      expected === 'any' ? this.#revisionOfId(state, String(flat[start])) : expected === 'noStream' ? 0 : expected + 1;
    if (first === undefined || first + count - 1 > state.revision) return undefined;
    for (let i = 0; i < count; i++) {
      if (textOf(this.#sql.idAt.get(state.id, first + i), 'id') !== flat[start + i * 4]) return undefined;
    }
    const revision = first + count - 1;
    return { revision, position: numberOf(this.#sql.positionOf.get(state.id, revision), 'position') };
  }

  #revisionOfId(state: StreamState, id: string): number | undefined {
    const row = this.#sql.anyId.get(state.id, id);
    return row === undefined ? undefined : numberOf(row, 'revision');
  }

  #insert(state: StreamState, { stream, expected, flat, start, count }: PendingRequest): void {
    for (let i = 0, at = start; i < count; i++, at += 4) {
      const id = flat[at] as string;
      const type = flat[at + 1] as string;
      const data = flat[at + 2] as string;
      const meta = sealedMeta(state.hash, flat[at + 3] as string);
      const revision = state.revision + 1;
      const position = this.#head + 1;
      const hash = eventHash(stream, revision, id, type, data, meta);
      this.#sql.insert.run(
        position,
        state.id,
        revision,
        id,
        type,
        data,
        meta,
        markOf(hash, position),
        this.#lastStream,
      );
      this.#lastStream = state.id;
      if (expected === 'any') this.#sql.insertAnyId.run(state.id, id, revision);
      state.revision = revision;
      state.hash = hash;
      this.#head = position;
      this.#events.push({ position, stream, revision, id, type, data, meta });
      this.#hashes.push(hash);
    }
  }

  #load(stream: string): StreamState | undefined {
    const cached = this.#streams.get(stream);
    if (cached !== undefined) return cached;
    const found = this.#sql.stream.get(stream);
    if (found === undefined) return undefined;
    const id = numberOf(found, 'id');
    const last = this.#sql.lastOf.get(id);
    if (last === undefined) return this.#keep(stream, { id, revision: -1, hash: '' });
    const revision = numberOf(last, 'revision');
    const hash = eventHash(
      stream,
      revision,
      textOf(last, 'id'),
      textOf(last, 'type'),
      textOf(last, 'data'),
      textOf(last, 'meta'),
    );
    return this.#keep(stream, { id, revision, hash });
  }

  #create(stream: string): StreamState {
    const { lastInsertRowid } = this.#sql.insertStream.run(stream);
    return this.#keep(stream, { id: Number(lastInsertRowid), revision: -1, hash: '' });
  }

  /** The oldest entries make room: a run's stream is written from its start to its end and then never again. */
  #keep(stream: string, state: StreamState): StreamState {
    if (this.#streams.size >= MAX_CACHED_STREAMS) {
      let surplus = MAX_CACHED_STREAMS / 10;
      for (const name of this.#streams.keys()) {
        if (surplus-- <= 0) break;
        this.#streams.delete(name);
      }
    }
    this.#streams.set(stream, state);
    return state;
  }

  #begin(): void {
    if (this.#open) return;
    this.#sql.begin.run();
    this.#open = true;
  }

  #commit(): void {
    if (!this.#open) return;
    this.#lastTime = Math.max(this.#lastTime, this.#now());
    this.#sql.insertCommit.run(this.#lastTime, this.#head);
    failPoint('commit:before');
    this.#sql.commit.run();
    this.#open = false;
    failPoint('commit:after');
  }

  #rollback(): void {
    this.#open = false;
    // A full disk may have ended the transaction already.
    if (this.#db.isTransaction) this.#db.exec('rollback');
  }
}

const SQL = {
  begin: 'begin immediate',
  commit: 'commit',
  head: 'select position, stream from events order by position desc limit 1',
  lastTime: 'select coalesce(max(time), 0) as time from commits',
  stream: 'select id from streams where name = ?',
  insertStream: 'insert into streams(name) values(?)',
  lastOf: 'select revision, id, type, data, meta from events where stream = ? order by revision desc limit 1',
  idAt: 'select id from events where stream = ? and revision = ?',
  positionOf: 'select position from events where stream = ? and revision = ?',
  anyId: 'select revision from any_ids where stream = ? and id = ?',
  insert:
    'insert into events(position, stream, revision, id, type, data, meta, mark, follows) values(?,?,?,?,?,?,?,?,?)',
  insertAnyId: 'insert or ignore into any_ids(stream, id, revision) values(?,?,?)',
  insertCommit:
    'insert into commits(time, position) values(?,?) on conflict(time) do update set position = excluded.position',
} as const;

function prepareAll(db: DatabaseSync): Readonly<Record<keyof typeof SQL, StatementSync>> {
  const statements = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)] as const);
  return Object.fromEntries(statements) as Record<keyof typeof SQL, StatementSync>;
}

type Row = ReturnType<StatementSync['get']>;

function numberOf(row: Row, column: string): number {
  return Number(row?.[column]);
}

function textOf(row: Row, column: string): string {
  return String(row?.[column]);
}
