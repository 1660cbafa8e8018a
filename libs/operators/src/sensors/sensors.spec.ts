import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Asset, AssetAlias, Dag } from '@rondo/sdk';
import { message, root, run, value, type World } from '../../test/harness.ts';
import {
  AssetSensor,
  BashSensor,
  DateTimeSensor,
  DayOfWeekSensor,
  EventSensor,
  ExternalTaskMarker,
  ExternalTaskSensor,
  FileSensor,
  HttpSensor,
  PythonSensor,
  SqlSensor,
  TimeDeltaSensor,
  TimeSensor,
} from '../index.ts';

type Made = new (options: never) => unknown;

const first = (operator: Made, args: object, world: World = {}) =>
  run(() => new operator({ id: 't', ...args } as never), world);
/** `yes`, `not yet`, or what the first poke failed with. */
const poke = async (operator: Made, args: object, world: World = {}): Promise<string> => {
  const ran = await first(operator, args, world);
  if (ran.outcome.kind === 'success') return 'yes';
  return ran.outcome.kind === 'defer' && ran.outcome.wait.kind === 'poll' ? 'not yet' : message(ran);
};
const waits = async (operator: Made, args: object): Promise<unknown> => {
  const ran = await first(operator, args);
  if (ran.outcome.kind !== 'defer') return ran.outcome.kind === 'success' ? 'met' : message(ran);
  return ran.outcome.wait;
};
const refusal = (operator: Made, args: object): string => {
  try {
    return String(new Dag({ id: 'd' }, () => void new operator({ id: 't', ...args } as never)).complete().map(String));
  } catch (error) {
    return (error as Error).message;
  }
};

describe('FileSensor', () => {
  const home = join(root, 'incoming');
  beforeEach(() => mkdirSync(join(home, 'empty', 'deeper'), { recursive: true }));
  afterEach(() => rmSync(home, { recursive: true }));

  it('waits for a file, for a folder with a file in it, or for what a pattern matches', async () => {
    const at = (path: string, more = {}): Promise<string> => poke(FileSensor, { path: join(home, path), ...more });
    expect([await at('a.csv'), await at('*.csv'), await at('empty')]).toEqual(['not yet', 'not yet', 'not yet']);
    writeFileSync(join(home, 'a.csv'), '');
    writeFileSync(join(home, 'empty', 'deeper', 'b.csv'), '');
    expect([await at('a.csv'), await at('?.csv'), await at('empty')]).toEqual(['yes', 'yes', 'yes']);
    expect([await at('**/b.csv'), await at('**/b.csv', { recursive: true })]).toEqual(['not yet', 'yes']);
    expect(value(await first(FileSensor, { path: join(home, '*.csv') }))).toEqual([join(home, 'a.csv')]);
  });

  it('takes a base from a connection, and refuses a path that is not absolute', async () => {
    writeFileSync(join(home, 'a.csv'), '');
    const connections = {
      fs: { connId: 'fs', connType: 'fs', extra: { path: home } },
      none: { connId: 'none', connType: 'fs' },
    };
    expect(await poke(FileSensor, { path: 'a.csv', connection: 'fs' }, { connections })).toBe('yes');
    expect(await poke(FileSensor, { path: 'a.csv' })).toContain("path is 'a.csv'; allowed: an absolute path");
    expect(await poke(FileSensor, { path: 'a.csv', connection: 'none' }, { connections })).toContain(
      "extra.path of connection 'none'",
    );
  });
});

describe('HttpSensor', () => {
  let server: Server;
  let url: string;
  let status = 200;
  const heads: (string | undefined)[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      heads.push(request.headers['x-own'] as string | undefined);
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(JSON.stringify({ ready: request.method === 'POST' }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  });
  afterAll(() => server.close());
  beforeEach(() => (status = 200));

  it('goes by the status', async () => {
    expect(await poke(HttpSensor, { url, headers: { 'x-own': '{{ ds }}' } })).toBe('yes');
    expect(heads.at(-1)).toBe('2024-12-01');
    status = 404;
    expect(await poke(HttpSensor, { url })).toBe('not yet');
    expect(await poke(HttpSensor, { url, notYetStatuses: [503] })).toContain('/x answered 404 Not Found');
    status = 503;
    expect([await poke(HttpSensor, { url, notYetStatuses: [404, 503] }), await poke(HttpSensor, { url })]).toEqual([
      'not yet',
      expect.stringContaining('answered 503'),
    ]);
  });

  it('goes by what the answer says', async () => {
    const responseCheck = (answer: { json: () => { ready: boolean } }): boolean => answer.json().ready;
    expect(await poke(HttpSensor, { url, responseCheck })).toBe('not yet');
    expect(await poke(HttpSensor, { url, responseCheck, method: 'POST' })).toBe('yes');
    expect(refusal(HttpSensor, {})).toContain('url, connection or both');
  });
});

describe('SqlSensor', () => {
  const file = join(root, 'sensor.db');
  beforeAll(() => new DatabaseSync(file).exec("CREATE TABLE t(n, s); INSERT INTO t VALUES (0, 'a'), (2, 'b')"));
  const sql = (text: string, more = {}): Promise<string> =>
    poke(SqlSensor, { connection: `sqlite:///${file}`, sql: text, ...more });

  it('goes by the first column of the first row', async () => {
    expect(await sql('SELECT n FROM t WHERE n > 1')).toBe('yes');
    expect(await sql('SELECT n FROM t ORDER BY n')).toBe('not yet');
    expect(await sql('SELECT n FROM t WHERE n > ?', { parameters: [5] })).toBe('not yet');
    expect(await sql('SELECT n FROM t WHERE n > 5', { failOnEmpty: true })).toBe(
      'the query has no row, and failOnEmpty is set',
    );
  });

  it('goes by selector, success and failure', async () => {
    const selector = ({ s }: { s?: unknown }): unknown => s;
    const query = 'SELECT n, s FROM t ORDER BY n';
    expect(await sql(query, { selector, success: (s: unknown) => s === 'a' })).toBe('yes');
    expect(await sql(query, { selector, success: (s: unknown) => s === 'b' })).toBe('not yet');
    expect(await sql(query, { selector, failure: (s: unknown) => s === 'a' })).toBe('failure is met by "a"');
  });
});

describe('sensors of time', () => {
  const at = (...date: Parameters<typeof Date.UTC>) => ({ kind: 'time', until: Date.UTC(...date) });

  it('wait for a moment, on the clocks of the DAG’s zone', async () => {
    expect(await waits(DateTimeSensor, { targetTime: '2999-12-04T06:00' })).toEqual(at(2999, 11, 4, 5));
    expect(await waits(DateTimeSensor, { targetTime: '2999-12-04 06:00:00+00:00' })).toEqual(at(2999, 11, 4, 6));
    expect(await waits(DateTimeSensor, { targetTime: '2999{{ ds[4:] }}' })).toEqual(at(2999, 10, 30, 23));
    expect(await waits(DateTimeSensor, { targetTime: '{{ ds }}' })).toBe('met');
    expect(await waits(DateTimeSensor, { targetTime: '{{ run_id }}' })).toContain(
      "targetTime is 'r'; allowed: ISO date and time",
    );
    expect(refusal(DateTimeSensor, { targetTime: 'noon' })).toContain("targetTime is 'noon'");
  });

  it('wait for a time of day', async () => {
    expect(await waits(TimeSensor, { targetTime: '00:00' })).toBe('met');
    expect(refusal(TimeSensor, { targetTime: '25:00' })).toContain(
      "targetTime is '25:00'; allowed: a time of day such as '06:30'",
    );
  });

  it('wait for a length of time after the data interval', async () => {
    // The run of these specs has no data interval, and may begin at 0.
    expect(await waits(TimeDeltaSensor, { delta: '2h' })).toBe('met');
    expect(await waits(TimeDeltaSensor, { delta: '30000d' })).toEqual({ kind: 'time', until: 30_000 * 86_400_000 });
    expect(refusal(TimeDeltaSensor, { delta: 'soon' })).toContain("delta is 'soon'");
  });

  it('wait for a day of the week', async () => {
    const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
    expect(await waits(DayOfWeekSensor, { weekDay: days })).toBe('met');
    const answers = await Promise.all(days.map((weekDay) => waits(DayOfWeekSensor, { weekDay })));
    const ends = answers.filter((each) => each !== 'met').map((each) => (each as { until: number }).until);
    expect(ends).toHaveLength(6);
    for (const end of ends)
      expect(Temporal.Instant.fromEpochMilliseconds(end).toZonedDateTimeISO('Europe/Berlin').hour).toBe(0);
    // The logical date is a Sunday.
    expect(await waits(DayOfWeekSensor, { weekDay: 'sunday', useTaskLogicalDate: true })).toBe('met');
    expect(await waits(DayOfWeekSensor, { weekDay: 'monday', useTaskLogicalDate: true })).toMatchObject({
      kind: 'time',
    });
    expect(refusal(DayOfWeekSensor, { weekDay: 'someday' })).toContain('monday, tuesday');
  });
});

describe('sensors of what happens elsewhere', () => {
  const logicalDate = Date.UTC(2024, 11, 1, 5);

  it('wait for a run or for tasks of another DAG', async () => {
    expect(await waits(ExternalTaskSensor, { externalDagId: 'up' })).toEqual({
      kind: 'run',
      dagId: 'up',
      logicalDate,
      allowedStates: ['success'],
      failedStates: [],
    });
    expect(
      await waits(ExternalTaskSensor, {
        externalDagId: '{{ dag.dag_id }}2',
        externalTaskIds: 'load',
        executionDelta: '1h',
        allowedStates: ['success', 'skipped'],
        skippedStates: ['removed'],
        failedStates: ['failed'],
        checkExistence: true,
      }),
    ).toEqual({
      kind: 'run',
      dagId: 'd2',
      taskIds: ['load'],
      logicalDate: logicalDate - 3_600_000,
      allowedStates: ['success', 'skipped'],
      skippedStates: ['removed'],
      failedStates: ['failed'],
      checkExistence: true,
    });
    const logicalDateFn = (date: Date): Date => new Date(date.getTime() + 1);
    expect(
      await waits(ExternalTaskSensor, { externalDagId: 'up', logicalDateFn, externalTaskGroupId: 'g' }),
    ).toMatchObject({
      groupIds: ['g'],
      logicalDate: logicalDate + 1,
    });
    expect(await waits(ExternalTaskSensor, { externalDagId: 'up', externalRunId: 'x' })).toMatchObject({ runId: 'x' });
    const { outcome } = await first(ExternalTaskSensor, { externalDagId: 'up', softFail: true });
    expect(outcome).toMatchObject({ onTimeout: 'skip', onFailed: 'skip' });
    expect(value(await first(ExternalTaskMarker, { externalDagId: 'down', externalTaskId: 'x' }))).toBeUndefined();
  });

  it('refuse what does not fit together', () => {
    const external = (more: object): string => refusal(ExternalTaskSensor, { externalDagId: 'up', ...more });
    expect(external({ externalRunId: 'r', executionDelta: '1h' })).toContain(
      'one of externalRunId, executionDelta and logicalDateFn',
    );
    expect(external({ failedStates: ['success'] })).toContain(
      'in one of allowedStates, skippedStates and failedStates only',
    );
    expect(external({ failedStates: ['upstream_failed'] })).toContain('states of a run');
    expect(external({ externalTaskIds: ['a'], externalTaskGroupId: 'g' })).toContain(
      'externalTaskIds or externalTaskGroupId',
    );
  });

  it('wait for events and assets, and look back', async () => {
    expect(await waits(EventSensor, { type: 'order.paid' })).toEqual({
      kind: 'event',
      eventType: 'order.paid',
      lookBackFrom: 0,
    });
    expect(
      await waits(EventSensor, {
        type: 'order.paid',
        source: '/shop',
        subject: '{{ ds }}',
        filter: { data: { 'order.day': '{{ ds }}' } },
        lookBack: '1m',
        count: 2,
      }),
    ).toEqual({
      kind: 'event',
      eventType: 'order.paid',
      source: '/shop',
      subject: '2024-12-01',
      filter: { data: { 'order.day': '2024-12-01' } },
      lookBackFrom: -60_000,
      count: 2,
    });
    expect(refusal(EventSensor, { type: 'x', filter: { like: {} } })).toContain('filter');
    expect(await waits(AssetSensor, { asset: 'orders' })).toEqual({ kind: 'asset', name: 'orders', lookBackFrom: 0 });
    expect(await waits(AssetSensor, { asset: new Asset('orders') })).toEqual({
      kind: 'asset',
      name: 'orders',
      lookBackFrom: 0,
    });
    expect(await waits(AssetSensor, { asset: Asset.ref({ uri: 's3://b/o' }) })).toEqual({
      kind: 'asset',
      uri: 's3://b/o',
      lookBackFrom: 0,
    });
    expect(refusal(AssetSensor, { asset: new AssetAlias('any') })).toContain(
      'allowed: an Asset, Asset.ref(…), or the name of an asset',
    );
  });
});

describe('sensors that run a process', () => {
  it('BashSensor goes by the exit code', async () => {
    const bash = (command: string, more = {}): Promise<string> => poke(BashSensor, { command, ...more });
    expect([await bash('true'), await bash('exit 3')]).toEqual(['yes', 'not yet']);
    expect(await bash('exit 3', { retryExitCode: 3 })).toBe('not yet');
    expect(await bash('exit 4', { retryExitCode: 3 })).toBe('the command ended with exit code 4');
  });

  it('PythonSensor goes by what Python holds for true', async () => {
    writeFileSync(join(root, 'look.py'), 'def look(x):\n    return x\n');
    const python = (x: unknown): Promise<string> =>
      poke(PythonSensor, { file: 'look.py', callable: 'look', opArgs: [x] });
    expect([await python([]), await python([0]), await python({}), await python('a')]).toEqual([
      'not yet',
      'yes',
      'not yet',
      'yes',
    ]);
  });
});
