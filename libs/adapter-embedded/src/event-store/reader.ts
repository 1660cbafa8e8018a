import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Position, RecordedEvent, StreamFilter, StreamHead } from '@rondo/ports';
import { toFlat, type AllPage, type Query, type StreamPage } from './messages.ts';

/** Events a page and a batch, at most. */
export const PAGE_EVENTS = 2_000;
/** Characters of data a page, at most, but never less than one event. */
export const PAGE_CHARS = 4 * 1024 * 1024;
/** Positions that one page looks through for events that pass a filter: appends wait no longer than that. */
const SCAN_POSITIONS = 20_000;

type StreamQuery = Extract<Query, { q: 'stream' }>;
type AllQuery = Extract<Query, { q: 'all' }>;

/** Reads pages, each short enough for the thread to go back to its appends. */
export class EventReader {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text);
      statement.setReturnArrays(true);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #row(text: string, ...params: (string | number)[]): unknown[] | undefined {
    return this.#sql(text).get(...params) as unknown as unknown[] | undefined;
  }

  #rows(text: string, params: readonly (string | number)[]): IterableIterator<(string | number)[]> {
    return this.#sql(text).iterate(...params) as unknown as IterableIterator<(string | number)[]>;
  }

  stream(query: StreamQuery): StreamPage {
    const id = this.#row('select id from streams where name = ?', query.stream)?.[0] as number | undefined;
    if (id === undefined) return { events: [], done: true };
    const last = query.upTo === null ? Number.MAX_SAFE_INTEGER : this.#lastUpTo(id, query.upTo);
    const from = query.backwards ? Math.min(query.from, last) : query.from;
    const to = query.backwards ? query.to : Math.min(query.to, last);
    const limit = Math.min(query.limit, PAGE_EVENTS);
    const page = new PageBuilder(limit);
    const order = query.backwards
      ? 'revision between ?3 and ?2 order by revision desc'
      : 'revision between ?2 and ?3 order by revision';
    const text = `select position, revision, id, type, data, meta from events where stream = ?1 and ${order} limit ?4`;
    for (const row of this.#rows(text, [id, from, to, limit])) {
      if (!page.add(row[0] as number, query.stream, row[1] as number, row[2], row[3], row[4], row[5])) break;
    }
    return { events: page.events, done: !page.full };
  }

  /** The last revision of a stream at or before a position, -1 for none: positions rise with revisions. */
  #lastUpTo(stream: number, upTo: Position): number {
    const max = this.#row('select max(revision) from events where stream = ?', stream)?.[0];
    let low = -1;
    let high = typeof max === 'number' ? max : -1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const position = Number(
        this.#row('select position from events where stream = ? and revision = ?', stream, middle)?.[0],
      );
      if (position <= upTo) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  all(query: AllQuery, head: Position): AllPage {
    const end = Math.min(query.upTo ?? head, head);
    const filtered = isFiltered(query.filter);
    const scanTo = filtered ? Math.min(end, query.after + SCAN_POSITIONS) : end;
    const limit = Math.min(query.limit, PAGE_EVENTS);
    const page = new PageBuilder(limit);
    const { where, params } = filterSql(query.filter);
    const text = `select e.position, s.name, e.revision, e.id, e.type, e.data, e.meta from events e cross join streams s on s.id = e.stream
      where e.position > ? and e.position <= ?${where} order by e.position limit ?`;
    for (const row of this.#rows(text, [query.after, scanTo, ...params, limit])) {
      if (!page.add(row[0] as number, row[1], row[2] as number, row[3], row[4], row[5], row[6])) break;
    }
    const through = page.full ? page.lastPosition : Math.max(query.after, scanTo);
    return { events: page.events, through, done: through >= end };
  }

  heads(prefix: string): StreamHead[] {
    const text = `select name, (select max(revision) from events where stream = streams.id) from streams
      where name >= ?1 and name < ?1 || char(0x10ffff) order by name`;
    const heads: StreamHead[] = [];
    for (const row of this.#rows(text, [prefix])) heads.push({ stream: row[0] as string, revision: row[1] as number });
    return heads;
  }

  positionAt(time: number): Position {
    return Number(this.#row('select position from commits where time <= ? order by time desc limit 1', time)?.[0] ?? 0);
  }
}

class PageBuilder {
  readonly events: (string | number)[] = [];
  full = false;
  lastPosition = 0;
  readonly #limit: number;
  #count = 0;
  #chars = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False when no more fits. */
  add(
    position: number,
    stream: unknown,
    revision: number,
    id: unknown,
    type: unknown,
    data: unknown,
    meta: unknown,
  ): boolean {
    this.events.push(
      position,
      stream as string,
      revision,
      id as string,
      type as string,
      data as string,
      meta as string,
    );
    this.lastPosition = position;
    this.#count += 1;
    this.#chars += (data as string).length;
    this.full = this.#count >= this.#limit || this.#chars >= PAGE_CHARS;
    return !this.full;
  }
}

function isFiltered(filter: StreamFilter): boolean {
  return filter.streamPrefixes !== undefined || filter.eventTypes !== undefined;
}

function filterSql({ streamPrefixes, eventTypes }: StreamFilter): {
  readonly where: string;
  readonly params: readonly string[];
} {
  let where = '';
  const params: string[] = [];
  if (streamPrefixes !== undefined) {
    const each = streamPrefixes.map(() => '(s.name >= ? and s.name < ? || char(0x10ffff))');
    where += ` and (${each.join(' or ') || 'false'})`;
    for (const prefix of streamPrefixes) params.push(prefix, prefix);
  }
  if (eventTypes !== undefined) {
    where += ` and e.type in (${eventTypes.map(() => '?').join(', ')})`;
    params.push(...eventTypes);
  }
  return { where, params };
}

/** The same filter on an event in memory. */
export function passes({ streamPrefixes, eventTypes }: StreamFilter, e: RecordedEvent): boolean {
  if (eventTypes !== undefined && !eventTypes.includes(e.type)) return false;
  return streamPrefixes === undefined || streamPrefixes.some((prefix) => e.stream.startsWith(prefix));
}

/** Flat events out of the newest ones, which the thread still holds. */
export function pageOf(
  events: readonly RecordedEvent[],
  start: number,
  filter: StreamFilter,
): { readonly flat: (string | number)[]; readonly end: number } {
  const flat: (string | number)[] = [];
  let count = 0;
  let chars = 0;
  let at = start;
  for (; at < events.length && count < PAGE_EVENTS && chars < PAGE_CHARS; at++) {
    const e = events[at]!;
    if (!passes(filter, e)) continue;
    toFlat(flat, e);
    count += 1;
    chars += e.data.length;
  }
  return { flat, end: at };
}
