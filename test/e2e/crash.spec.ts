import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataPaths, openEmbeddedEventStore, verifyHistory } from '@rondo/adapter-embedded';
import { FAIL_POINTS } from '@rondo/kernel';
import { allRows } from './rows.ts';

const root = join(import.meta.dirname, '../..');
const TASKS = 2_000;
const KILLS = 20;
/** Far enough into the run that something is under way, and soon enough that the run is not over. */
const HITS: Readonly<Record<(typeof FAIL_POINTS)[number], number>> = {
  'append:before': 9,
  'append:after': 9,
  'commit:before': 9,
  'commit:after': 9,
  'dispatch:before': 40,
  'dispatch:after': 40,
  'report:before': 40,
  'report:after': 40,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rondo-crash-'));
  await mkdir(join(folder, 'dags'));
  await writeFile(join(folder, 'dags/crash.ts'), dagSource(join(folder, 'bodies.log')));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

/** Each body says outside the platform when it begins and ends. A few take long enough to be caught in the middle. */
function dagSource(log: string): string {
  return `import { appendFileSync } from 'node:fs';
import { Dag, task } from '@rondo/sdk';

const say = (what: string, id: string) => appendFileSync(${JSON.stringify(log)}, JSON.stringify({ what, id, at: performance.timeOrigin + performance.now() }) + '\\n');

export default new Dag({ id: 'crash', maxActiveTasks: 200, isPausedUponCreation: false }, () => {
  for (let i = 0; i < ${TASKS}; i++)
    task('t' + i, async (ctx) => {
      say('start', ctx.ti.attemptId);
      if (i % 25 === 0) await new Promise((resolve) => setTimeout(resolve, 100));
      say('end', ctx.ti.attemptId);
    });
});
`;
}

interface Ended {
  readonly signal: string | null;
  readonly code: number | null;
  readonly output: string;
}

/** Runs the host until it ends, or is killed so many milliseconds after it was ready. */
function host(killAfterMs: number | undefined, crashAt?: string): Promise<Ended> {
  const args = [
    '--import',
    join(root, 'tools/nest-hook.mjs'),
    join(root, 'test/e2e/crash-host.ts'),
    join(folder, 'data'),
    join(folder, 'dags'),
    'crash',
  ];
  const { CRASH_AT: _, ...env } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...env, NODE_OPTIONS: '', ...(crashAt === undefined ? {} : { CRASH_AT: crashAt }) },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (output.includes('ready') && killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  });
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, output })));
}

interface Said {
  readonly what: 'start' | 'end';
  readonly id: string;
  readonly at: number;
}

async function bodies(): Promise<readonly Said[]> {
  const text = await readFile(join(folder, 'bodies.log'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Said);
}

/** `crash:crash:t7:1.2` → `t7`. */
const taskOf = (id: string): string => id.split(':')[2]!;

describe(`a run of ${TASKS} tasks that is killed again and again`, () => {
  it('ends in success: no task overlaps itself, no more executions than tasks and lost attempts, the history verifies', async () => {
    const crashes: string[] = [];
    for (const point of FAIL_POINTS) {
      const ended = await host(undefined, `${point}:${HITS[point]}`);
      crashes.push(`${point} ${ended.signal}`);
      expect(`${ended.signal ?? ''} ${ended.output}`).toContain('SIGKILL');
    }
    for (let i = 0; i < KILLS; i++) {
      // A fixed sequence of moments, spread over the first 200 ms after the start.
      const ended = await host((i * 73) % 200);
      crashes.push(`kill ${ended.signal}`);
    }
    const last = await host(undefined);
    expect(last).toMatchObject({ code: 0, output: expect.stringContaining('ended') });
    expect(crashes.filter((c) => c.endsWith('SIGKILL'))).toHaveLength(FAIL_POINTS.length + KILLS);
    await check();
  }, 300_000);

  async function check(): Promise<void> {
    const data = join(folder, 'data');
    const store = await openEmbeddedEventStore({ folder: data });
    const types = new Map<string, number>();
    let state = '';
    for await (const page of store.readStream('dagRun-crash:crash'))
      for (const event of page) {
        types.set(event.type, (types.get(event.type) ?? 0) + 1);
        if (event.type === 'RunSucceeded' || event.type === 'RunFailed') state = `${event.type} ${event.data}`;
      }
    await store.close();
    expect(state).toContain('RunSucceeded');
    expect(types.get('TaskSucceeded')).toBe(TASKS);
    const said = await bodies();
    expect(overlaps(said)).toEqual([]);
    const executions = said.filter((s) => s.what === 'start').length;
    const lost = types.get('TaskLost') ?? 0;
    process.stdout.write(`${executions} executions of ${TASKS} tasks, ${lost} lost attempts\n`);
    // The kills met attempts in the middle: else this test would show nothing.
    expect(lost).toBeGreaterThan(5);
    expect(executions).toBeGreaterThanOrEqual(TASKS);
    expect(executions).toBeLessThanOrEqual(TASKS + lost);
    const starts = said.filter((s) => s.what === 'start').map((s) => s.id);
    expect(new Set(starts).size).toBe(starts.length);
    expect((await verifyHistory(data)).faults).toEqual([]);
    const before = await allRows(data);
    for (const suffix of ['', '-wal', '-shm']) await rm(`${dataPaths(data).reads}${suffix}`, { force: true });
    expect(await allRows(data)).toEqual(before);
    expect(before['task_instances']).toHaveLength(TASKS);
  }
});

/** Tasks one of whose executions began before another had ended, where the other did end. */
function overlaps(said: readonly Said[]): readonly string[] {
  const open = new Map<string, string>();
  const found: string[] = [];
  for (const { what, id } of said) {
    const task = taskOf(id);
    if (what === 'start') open.set(task, id);
    else if (open.get(task) === id) open.delete(task);
    else found.push(`${id} ended while ${open.get(task) ?? 'nothing'} was open`);
  }
  return found;
}
