/** What was seen live is what the history answers afterwards, for every position of it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { pause } from './platform-process.ts';
import { Project, rondo, runPath, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
const RUNS = ['one', 'two'] as const;
const PROOF = 'the-proof-of-the-pudding';

interface Seen {
  readonly position: number;
  readonly type: string;
  readonly runId?: string;
  readonly run?: { readonly state: string };
  readonly tasks?: readonly { readonly taskId: string; readonly state: string; readonly tryNumber: number }[];
}

let project: Project;
let served: Served;

beforeAll(async () => {
  project = new Project();
  project.write(
    'eventful.ts',
    `import { branch, EmptyOperator } from '@rondo/operators';
import { Dag, FailNow, Skip, task } from '@rondo/sdk';

export default new Dag({ id: 'eventful', defaultArgs: { retryDelay: '100ms' } }, () => {
  const begin = task('begin', (ctx) => '${PROOF} of ' + ctx.run.runId)();
  const flaky = task('flaky', (ctx) => { if (ctx.tryNumber === 1) throw new Error('not yet'); return ctx.tryNumber; }, { retries: 2 })();
  const choose = branch('choose', () => 'left')();
  const left = new EmptyOperator({ id: 'left' });
  const right = new EmptyOperator({ id: 'right' });
  const skips = task('skips', () => { throw new Skip('not today'); })();
  const fails = task('fails', () => { throw new FailNow('never'); }, { retries: 3 })();
  const after = new EmptyOperator({ id: 'after_failure' });
  const end = new EmptyOperator({ id: 'end', triggerRule: 'all_done' });
  begin.to([flaky, choose, skips, fails]);
  choose.to([left, right]).to(end);
  fails.to(after).to(end);
  flaky.to(end);
  skips.to(end);
});
`,
  );
  served = await project.serve();
  await served.dag('eventful');
});
afterAll(() => project.remove());

/** Everything that happens from the first position on, until the DAG is paused. */
async function follow(): Promise<readonly Seen[]> {
  const answer = await fetch(`${served.url}/api/v1/events?after=0`);
  const seen: Seen[] = [];
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body!) {
    const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data === undefined) continue;
      const event = JSON.parse(data) as Seen;
      expect(/^id: (\d+)$/m.exec(block)?.[1]).toBe(String(event.position));
      seen.push(event);
      if (event.type === 'DagPaused') return seen;
    }
  }
  throw new Error('the stream ended');
}

const statesOf = (
  tasks: readonly { readonly taskId?: unknown; readonly state?: unknown; readonly tryNumber?: unknown }[],
) => tasks.map(({ taskId, state, tryNumber }) => [String(taskId), `${String(state)} ${String(tryNumber)}`] as const);

/** What the API answers of a run as of a position: null before it was asked for. */
async function asOf(runId: string, position: number): Promise<unknown> {
  const path = runPath('eventful', runId);
  const run = await fetch(`${served.url}/api/v1${path}?asOf=${position}`);
  if (run.status === 404) return null;
  const { items } = await served.get<Rows>(`${path}/tasks?asOf=${position}`);
  const known = statesOf(items).filter(([, state]) => state !== 'none 0');
  return { run: ((await run.json()) as Row)['state'], tasks: Object.fromEntries(known) };
}

describe('the history', () => {
  let seen: readonly Seen[];
  let between: string;

  it('is followed while runs fail, retry, skip, are cleared and marked', async () => {
    const following = follow();
    await Promise.all(RUNS.map((runId) => served.trigger('eventful', { runId })));
    for (const runId of RUNS) expect(await served.ended('eventful', runId)).toMatchObject({ state: 'success' });
    await pause(20);
    between = new Date().toISOString();
    await pause(20);
    const [one, two] = RUNS.map((runId) => runPath('eventful', runId)) as [string, string];
    await served.post(`${one}/clear`, { taskIds: ['choose'], includeDownstream: true });
    await served.taskIs('eventful', 'one', 'choose', 'success');
    await served.ended('eventful', 'one');
    await served.post(`${two}/mark`, { taskIds: ['fails'], state: 'success' });
    await served.post(`${two}/mark`, { taskIds: ['left'], state: 'skipped' });
    await served.post(`${two}/mark`, { state: 'failed' });
    await served.post('/dags/eventful/pause');
    seen = await following;
    const types = seen.map((event) => event.type);
    for (const type of [
      'RunStarted',
      'TaskRetryScheduled',
      'TaskFailed',
      'TaskSkipped',
      'TaskCleared',
      'TaskMarked',
      'RunReopened',
      'RunClosed',
    ])
      expect(types).toContain(type);
    const positions = seen.map((event) => event.position);
    expect(positions.length).toBeGreaterThan(60);
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  });

  it('answers for every position what was known live', async () => {
    const head = seen.at(-1)!.position;
    const live = new Map<string, { run: string; tasks: Record<string, string> }>();
    let next = 0;
    for (let position = 1; position <= head; position++) {
      const event = seen[next]?.position === position ? seen[next++] : undefined;
      if (event?.runId !== undefined) {
        const known = live.get(event.runId) ?? { run: '', tasks: {} };
        if (event.run !== undefined) known.run = event.run.state;
        Object.assign(known.tasks, Object.fromEntries(statesOf(event.tasks ?? [])));
        for (const [taskId, state] of Object.entries(known.tasks)) if (state === 'none 0') delete known.tasks[taskId];
        live.set(event.runId, known);
      }
      for (const runId of RUNS)
        expect({ position, runId, is: await asOf(runId, position) }).toEqual({
          position,
          runId,
          is: live.get(runId) ?? null,
        });
    }
    expect(next).toBe(seen.length);
  });

  it('answers at its end as the rows do, in everything', async () => {
    const head = seen.at(-1)!.position;
    for (const runId of RUNS) {
      const path = runPath('eventful', runId);
      const parts = [
        '',
        '/tasks',
        '/xcoms',
        '/tasks/flaky/tries',
        '/tasks/choose/tries',
        '/tasks/fails/tries',
        '/tasks/begin/xcoms',
      ];
      for (const part of parts)
        expect({ part, is: await served.get(`${path}${part}?asOf=${head}`) }).toEqual({
          part,
          is: await served.get(path + part),
        });
    }
    expect((await served.get<Rows>(`/dags/eventful/runs?asOf=${head}`)).items).toEqual(
      (await served.get<Rows>('/dags/eventful/runs')).items,
    );
  });

  it('answers for a time as for the position that it had', async () => {
    const path = runPath('eventful', 'one');
    const answer = await fetch(`${served.url}/api/v1${path}/tasks?asOf=${between}`);
    const position = Number(answer.headers.get('rondo-position'));
    expect(position).toBeLessThan(seen.find((event) => event.type === 'TaskCleared')!.position);
    const then = (await answer.json()) as Rows;
    expect(then).toEqual(await served.get(`${path}/tasks?asOf=${position}`));
    expect(Object.fromEntries(statesOf(then.items))).toMatchObject({
      choose: 'success 1',
      flaky: 'success 2',
      end: 'success 1',
    });
    expect(Object.fromEntries(statesOf((await served.get<Rows>(`${path}/tasks`)).items))).toMatchObject({
      choose: 'success 2',
    });
    const never = await fetch(`${served.url}/api/v1${path}?asOf=2001-01-01`);
    expect(never.status).toBe(404);
  });

  it('verifies, and names the stream and the position of what somebody has changed', async () => {
    const whole = await rondo('history', 'verify', '--data', project.data);
    expect(whole).toMatchObject({ code: 0, out: expect.stringContaining('the history is whole') });
    const { items } = await served.get<Rows>(`${runPath('eventful', 'one')}/events`);
    const proof = items.find((event) => JSON.stringify(event['data']).includes(`${PROOF} of one`))!;
    await served.platform.end();

    const changed = join(project.folder, 'changed');
    cpSync(project.data, changed, { recursive: true });
    const file = join(changed, 'events.db');
    const bytes = readFileSync(file);
    const at = bytes.indexOf(`${PROOF} of one`);
    expect(at).toBeGreaterThan(0);
    bytes[at] = 'T'.charCodeAt(0);
    writeFileSync(file, bytes);
    const found = await rondo('history', 'verify', '--data', changed, '--json');
    expect(found.code).toBe(1);
    expect(JSON.parse(found.out)).toMatchObject({
      faults: [{ kind: 'changed', stream: proof['stream'], position: proof['position'] }],
    });

    const cut = join(project.folder, 'cut');
    cpSync(project.data, cut, { recursive: true });
    const db = new DatabaseSync(join(cut, 'events.db'));
    db.exec('delete from events where position > (select max(position) - 3 from events)');
    db.close();
    const short = await rondo('history', 'verify', '--data', cut);
    expect(short).toMatchObject({ code: 1, out: expect.stringMatching(/truncated/) });
  });
});
