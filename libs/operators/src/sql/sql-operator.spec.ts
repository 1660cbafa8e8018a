import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { message, root, run, value, type Ran, type World } from '../../test/harness.ts';
import { splitStatements, SqlOperator } from '../index.ts';

describe('SqlOperator', () => {
  const path = join(root, 'test.db');
  const sql = (
    args: object,
    world: World = { connections: { db: { connId: 'db', connType: 'sqlite', host: path } } },
  ): Promise<Ran> => run(() => new SqlOperator({ id: 't', connection: 'db', ...args } as never), world);

  it('runs scripts and returns rows', async () => {
    expect(
      value(
        await sql({
          sql: "create table if not exists t (n integer, s text, b blob); delete from t; insert into t values (1, 'a;b', x'00ff'), (9007199254740993, null, null)",
        }),
      ),
    ).toBeUndefined();
    expect(value(await sql({ sql: 'select * from t order by n' }))).toEqual([
      { n: 1, s: 'a;b', b: 'AP8=' },
      { n: '9007199254740993', s: null, b: null },
    ]);
    expect(value(await sql({ sql: 'select count(*) as c from t', fetch: 'scalar' }))).toBe(2);
    expect(value(await sql({ sql: 'select n from t order by n', fetch: 'first' }))).toEqual({ n: 1 });
    expect(value(await sql({ sql: 'select 1', fetch: 'none' }))).toBeUndefined();
  });

  it('binds parameters by name and by place, and takes files', async () => {
    expect(
      value(await sql({ sql: 'select :a as a, $b as b', parameters: { a: '{{ ds }}', b: true, other: 1 } })),
    ).toEqual([{ a: '2024-12-01', b: 1 }]);
    expect(value(await sql({ sql: 'select ? as a, ? as b', parameters: [1, null] }))).toEqual([{ a: 1, b: null }]);
    writeFileSync(join(root, 'q.sql'), "select '{{ ds }}' as ds;\n");
    expect(value(await sql({ sql: 'q.sql' }))).toEqual([{ ds: '2024-12-01' }]);
    expect(value(await sql({ connection: `sqlite:///${path}`, sql: ['select 1 as x', 'select 2 as x'] }))).toEqual([
      { x: 2 },
    ]);
  });

  it('takes all of it back when a statement fails', async () => {
    const before = value(await sql({ sql: 'select count(*) as c from t', fetch: 'scalar' }));
    const failed = await sql({ sql: "insert into t values (5, 'x', null); select * from nowhere" });
    expect(message(failed)).toBe('statement 2 of 2 failed: no such table: nowhere: select * from nowhere');
    expect(value(await sql({ sql: 'select count(*) as c from t', fetch: 'scalar' }))).toBe(before);
  });

  it('refuses other databases', async () => {
    const connections = {
      pg: { connId: 'pg', connType: 'postgres' },
      rel: { connId: 'rel', connType: 'sqlite', host: 'x.db' },
    };
    expect(message(await sql({ connection: 'pg', sql: 'select 1' }, { connections }))).toBe(
      "connection 'pg' is of type 'postgres'; allowed: sqlite",
    );
    expect(message(await sql({ connection: 'rel', sql: 'select 1' }, { connections }))).toContain(
      "names the database 'x.db'; allowed: an absolute path",
    );
    expect(message(await sql({ connection: 'sqlite:////no/such/folder/x.db', sql: 'select 1' }))).toContain(
      'the database /no/such/folder/x.db cannot be opened',
    );
  });

  it('splits scripts', () => {
    expect(splitStatements("select 1; -- a; comment\nselect ';' /* ; */ ; ;\n")).toEqual([
      'select 1',
      "-- a; comment\nselect ';' /* ; */",
    ]);
    expect(splitStatements('begin; insert into t values (1); end; select 1')).toEqual([
      'begin',
      'insert into t values (1)',
      'end',
      'select 1',
    ]);
    const trigger =
      'create temp trigger x after insert on t begin update t set n = case when n > 1 then 2 else 3 end; delete from u; end';
    expect(splitStatements(`${trigger}; select [a;b], "c;d", \`e;f\``)).toEqual([
      trigger,
      'select [a;b], "c;d", `e;f`',
    ]);
    expect(splitStatements(' -- nothing')).toEqual([]);
  });
});
