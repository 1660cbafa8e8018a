import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Page, PersistentSubscription, Position } from '@rondo/ports';

export interface Row {
  readonly settings: PersistentSubscription;
  /** Up to here everything is settled. */
  readonly place: Position;
}

const SCHEMA = `
  create table if not exists subscriptions (name text primary key, settings text not null, place integer not null) strict;
  create table if not exists parked (
    name text not null, position integer not null, reason text not null, replayed integer not null default 0,
    primary key (name, position)
  ) strict;
`;

/** Places and parked events of subscriptions, in a file of their own. */
export class SubscriptionTable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    this.#db.exec(`pragma journal_mode=wal; pragma synchronous=normal; ${SCHEMA}`);
  }

  find(name: string): Row | undefined {
    const row = this.#prepared('select settings, place from subscriptions where name = ?').get(name);
    if (row === undefined) return undefined;
    return {
      settings: JSON.parse(row['settings'] as string) as PersistentSubscription,
      place: row['place'] as Position,
    };
  }

  add(settings: PersistentSubscription, place: Position): void {
    this.#prepared('insert or ignore into subscriptions (name, settings, place) values (?, ?, ?)').run(
      settings.name,
      JSON.stringify(settings),
      place,
    );
  }

  remove(name: string): void {
    this.#prepared('delete from subscriptions where name = ?').run(name);
    this.#prepared('delete from parked where name = ?').run(name);
  }

  moveTo(name: string, place: Position): void {
    this.#prepared('update subscriptions set place = ? where name = ?').run(place, name);
  }

  park(name: string, position: Position, reason: string): void {
    this.#prepared(
      'insert into parked (name, position, reason) values (?, ?, ?) on conflict do update set reason = excluded.reason, replayed = 0',
    ).run(name, position, reason);
  }

  unpark(name: string, position: Position): void {
    this.#prepared('delete from parked where name = ? and position = ?').run(name, position);
  }

  hasParked(name: string): boolean {
    return this.#prepared('select 1 from parked where name = ? limit 1').get(name) !== undefined;
  }

  countParked(name: string): number {
    const row = this.#prepared('select count(*) as n from parked where name = ? and replayed = 0').get(name);
    return row!['n'] as number;
  }

  parked(name: string, { offset, limit }: Page): readonly Position[] {
    const rows = this.#db
      .prepare('select position from parked where name = ? and replayed = 0 order by rowid limit ? offset ?')
      .all(name, limit, offset);
    return rows.map((row) => row['position'] as Position);
  }

  /** What is given again stays in the table until it is settled: a crash does not lose it. */
  markReplayed(name: string): readonly Position[] {
    const rows = this.#prepared(
      'update parked set replayed = 1 where name = ? and replayed = 0 returning position',
    ).all(name);
    return rows.map((row) => row['position'] as Position).sort((a, b) => a - b);
  }

  replayed(name: string): readonly Position[] {
    const rows = this.#prepared('select position from parked where name = ? and replayed = 1 order by position').all(
      name,
    );
    return rows.map((row) => row['position'] as Position);
  }

  close(): void {
    this.#db.close();
  }

  #prepared(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
