/** The table of errors in SQLite: one row for each error, with the template that its message belongs to. */
import { DatabaseSync } from 'node:sqlite';
import type { ErrorRecord } from './records.ts';
import { TemplateMiner } from './templates.ts';

export interface HourCount {
  readonly app: string;
  /** `2026-03-14T07`; null for errors whose lines have no date. */
  readonly hour: string | null;
  readonly errors: number;
}

export interface TemplateCount {
  readonly app: string;
  readonly template: string;
  readonly count: number;
}

export class ErrorsTable {
  readonly #db: DatabaseSync;

  constructor(file: string) {
    this.#db = new DatabaseSync(file);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  /** Puts these errors in place of whatever the table holds, in one transaction, so that a second try repeats nothing. */
  replaceAll(errors: readonly ErrorRecord[]): void {
    const insert = this.#db.prepare(
      'INSERT INTO errors (app, line, time, level, component, message, details, template) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    const templates = templatesByApp(errors);
    this.#db.exec('BEGIN');
    try {
      this.#db.exec('DELETE FROM errors');
      for (const [at, e] of errors.entries()) {
        insert.run(
          e.app,
          e.line,
          e.time,
          e.level ?? '',
          e.component,
          e.message,
          e.details.join('\n'),
          templates[at] ?? '',
        );
      }
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  errorsByHour(): readonly HourCount[] {
    const sql =
      'SELECT app, substr(time, 1, 13) AS hour, count(*) AS errors FROM errors GROUP BY app, hour ORDER BY app, hour';
    return this.#db
      .prepare(sql)
      .all()
      .map((row) => ({
        app: String(row.app),
        hour: row.hour === null ? null : String(row.hour),
        errors: Number(row.errors),
      }));
  }

  topTemplates(limit: number): readonly TemplateCount[] {
    const sql =
      'SELECT app, template, count(*) AS count FROM errors GROUP BY app, template ORDER BY count DESC, app, template LIMIT ?';
    return this.#db
      .prepare(sql)
      .all(limit)
      .map((row) => ({ app: String(row.app), template: String(row.template), count: Number(row.count) }));
  }
}

/** The template of each error, in order. Each application has a vocabulary of its own, and so its own miner. */
function templatesByApp(errors: readonly ErrorRecord[]): readonly string[] {
  const miners = new Map<string, TemplateMiner>();
  const pending = errors.map(({ app, message }) => {
    const miner = miners.get(app) ?? new TemplateMiner();
    miners.set(app, miner);
    return miner.add(message);
  });
  return pending.map((template) => template());
}
