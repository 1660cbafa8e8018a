/** Values between tasks, each in a process of its own: typed, large, looked up, and changed by hand. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Project, rondo, runPath, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
let project: Project;
let served: Served;

const VALUES = `import { BashOperator } from '@rondo/operators';
import { Dag, registerSerialiser, task } from '@rondo/sdk';

class Money {
  constructor(cents: number) { this.cents = cents; }
  readonly cents: number;
}
registerSerialiser({ name: 'acme.Money', version: 1, type: Money, serialise: ({ cents }: Money) => cents, deserialise: (cents: number) => new Money(cents) });

export default new Dag({ id: 'values', params: { rows: { default: 1 } } }, () => {
  const make = task('make', () => ({ at: new Date(0), id: 2n ** 60n, tags: new Set(['a']), price: new Money(5), raw: new Uint8Array([1, 2]) }))();
  task('take', { made: make }, (_ctx, { made }) =>
    [made.at.getUTCFullYear(), made.id + 1n, made.tags.has('a'), made.price instanceof Money, made.raw.length]);
  const show = new BashOperator({ id: 'show', command: "echo {{ ti.xcom_pull('make').at | ds }} {{ task_reschedule_count }}" });
  make.to(show);
  const large = task('large', () => ({ text: 'x'.repeat(50_000), at: new Date(1) }))();
  task('measure', { large }, async (ctx, input) => [input.large.text.length, input.large.at.getTime(), (await ctx.xcom.pull(large))?.at.getTime()]);
});
`;

const TOO_LARGE = `import { Dag, task } from '@rondo/sdk';

export default new Dag({ id: 'too_large' }, () => void task('report', () => 'x'.repeat(100_000)));
`;

const EARLIER = `import { Dag, task } from '@rondo/sdk';

export default new Dag({ id: 'earlier', params: { note: 'none' } }, () => {
  const note = task('note', (ctx) => (ctx.params.note === 'none' ? null : ctx.params.note))();
  task('look', { text: '{{ prev_start_date_success is none }}' }, async (ctx, { text }) => [
    await ctx.xcom.pull(note) ?? null,
    await ctx.xcom.pull(note, { includePriorDates: true }) ?? null,
    await ctx.xcom.pull(['note', 'nobody'], { includePriorDates: true }),
    text,
  ]).from(note);
});
`;

const BACKEND = (folder: string): string => `import { readFile, writeFile } from 'node:fs/promises';

export default () => ({
  name: 'own',
  async put(bytes, { taskId, key, tryNumber }) {
    const name = taskId + '-' + key + '-' + tryNumber;
    await writeFile(${JSON.stringify(folder)} + '/' + name, bytes);
    return name;
  },
  get: (name) => readFile(${JSON.stringify(folder)} + '/' + name),
});
`;

beforeAll(async () => {
  project = new Project();
  project.write('values.ts', VALUES);
  project.write('too_large.ts', TOO_LARGE);
  project.write('earlier.ts', EARLIER);
  const kept = join(project.folder, 'kept');
  mkdirSync(kept);
  const module = join(project.folder, 'backend.mjs');
  writeFileSync(module, BACKEND(kept));
  served = await project.serve({
    args: [
      '--no-run',
      '--port',
      '0',
      '--xcom-backend',
      module,
      '--xcom-threshold',
      '1000',
      '--max-xcom-bytes',
      '90000',
    ],
  });
  expect((await served.get<Rows>('/import-errors')).items).toEqual([]);
});
afterAll(() => project.remove());

const made = {
  at: { $type: 'date', $value: '1970-01-01T00:00:00.000Z' },
  id: { $type: 'bigint', $value: String(2n ** 60n) },
  tags: { $type: 'set', $value: ['a'] },
  price: { $type: 'acme.Money', $version: 1, $value: 5 },
  raw: { $type: 'bytes', $value: 'AQI=' },
};

describe('values between tasks', () => {
  let runId: string;
  beforeAll(async () => {
    const run = await served.run('values');
    expect(run).toMatchObject({ state: 'success' });
    runId = String(run['runId']);
  });

  it('are what they were in another process, and in templates', async () => {
    expect(await served.xcom('values', runId, 'make')).toEqual(made);
    const next = { $type: 'bigint', $value: String(2n ** 60n + 1n) };
    expect(await served.xcom('values', runId, 'take')).toEqual([1970, next, true, true, 2]);
    expect(await served.xcom('values', runId, 'show')).toBe('1970-01-01 0');
  });

  it('that are large lie in the backend of the configuration, which is user code', async () => {
    expect(await served.xcom('values', runId, 'measure')).toEqual([50_000, 1, 1]);
    expect(await served.xcom('values', runId, 'large')).toMatchObject({
      $type: 'ref',
      $value: { backend: 'own', reference: 'large-return_value-1' },
    });
    expect(readdirSync(join(project.folder, 'kept'))).toEqual(['large-return_value-1']);
  });

  it('are changed by hand: the next try of another task takes them, and the history says who did it', async () => {
    const url = ['--url', served.url];
    const changed = { ...made, tags: { $type: 'set', $value: [] } };
    const set = await rondo('xcoms', 'set', 'values', runId, 'make', 'return_value', JSON.stringify(changed), ...url);
    expect(set).toMatchObject({ code: 0, out: 'XCom return_value of make is set\n' });
    await served.post(`${runPath('values', runId)}/clear`, { taskIds: ['take'] });
    expect(await served.ended('values', runId)).toMatchObject({ state: 'success' });
    await served.taskIs('values', runId, 'take', 'success');
    expect(await served.xcom('values', runId, 'take')).toMatchObject({ 2: false });
    expect(await rondo('xcoms', 'delete', 'values', runId, 'show', 'return_value', ...url)).toMatchObject({ code: 0 });
    const left = await served.get<Rows>(`${runPath('values', runId)}/xcoms?taskId=show`);
    expect(left.total).toBe(0);
    const events = (await served.get<Rows>(`${runPath('values', runId)}/events?limit=1000`)).items;
    expect(events.filter((event) => String(event['type']).startsWith('XCom'))).toMatchObject([
      { type: 'XComSet', data: { taskId: 'make', key: 'return_value' }, meta: { actor: 'user:local' } },
      { type: 'XComDeleted', data: { taskId: 'show', key: 'return_value' }, meta: { actor: 'user:local' } },
    ] satisfies Row[]);
  });

  it('that are too large fail their task, and say what to do', async () => {
    const run = await served.run('too_large');
    expect(run).toMatchObject({ state: 'failed' });
    const { error } = await served.task('too_large', String(run['runId']), 'report');
    expect(error).toMatchObject({
      type: 'RangeError',
      message: expect.stringContaining(
        "XCom 'return_value' of task 'report' has 100002 bytes as JSON; at most 90000 are allowed (--max-xcom-bytes)",
      ),
    });
  });

  it('of earlier runs are found by their dates, and so is the last success', async () => {
    const run = async (day: number, conf: object = {}): Promise<unknown> => {
      const { runId: id } = await served.run('earlier', { logicalDate: `2026-03-0${day}T00:00:00Z`, conf });
      return served.xcom('earlier', String(id), 'look');
    };
    expect(await run(2, { note: 'second' })).toEqual(['second', 'second', ['second', null], 'True']);
    expect(await run(3)).toEqual([null, 'second', ['second', null], 'False']);
    expect(await run(1)).toEqual([null, null, [null, null], 'True']);
  });
});
