import { FailNow, Sensor, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';
import { query, queryShape, type SqlArgs } from '../sql/sql-operator.ts';

export interface SqlSensorArgs extends Pick<SqlArgs, 'connection' | 'sql' | 'parameters'> {
  /** What of the first row is looked at. Default: its first column. */
  readonly selector?: (row: Readonly<Record<string, unknown>>) => unknown;
  /** True: it is there. Default: any value but `0`, `''`, `false` and null. */
  readonly success?: (value: unknown) => boolean;
  /** True: the task fails. */
  readonly failure?: (value: unknown) => boolean;
  /** No row at all fails the task. Default false: not yet. */
  readonly failOnEmpty?: boolean;
}

const callable = (what: string) =>
  z
    .custom<(value: never) => unknown>((value) => typeof value === 'function')
    .describe(`a function (${what}) => …`)
    .optional();

/** Asks a SQLite database until its answer is what is waited for. A query holds the process of waits while it runs: keep it short. */
export class SqlSensor extends Sensor<SqlSensorArgs, void> {
  static override readonly templateFields = ['connection', 'sql', 'parameters'];
  static override readonly templateExtensions = ['.sql'];
  static override readonly schema = z.strictObject({
    ...queryShape,
    selector: callable('row'),
    success: callable('value'),
    failure: callable('value'),
    failOnEmpty: z.boolean().describe('true or false').optional(),
  });

  async poke(ctx: TaskContext, { connection, sql, parameters, ...args }: SqlSensorArgs): Promise<boolean> {
    const { selector = (row) => Object.values(row)[0], success = Boolean, failure, failOnEmpty = false } = args;
    const [row] = (await query(ctx, { connection, sql, parameters, autocommit: true })) ?? [];
    if (row === undefined && failOnEmpty) throw new FailNow('the query has no row, and failOnEmpty is set');
    if (row === undefined) return false;
    const value = selector(row);
    if (failure?.(value) === true) throw new FailNow(`failure is met by ${JSON.stringify(value)}`);
    return success(value);
  }
}
