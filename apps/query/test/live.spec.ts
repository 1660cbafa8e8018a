import { appendHistory, randomHistory, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { ApiUnderTest, serverEvents, type ServerEvent } from './api-kit.ts';

interface StateChange {
  readonly position: number;
  readonly runId: string;
  readonly run?: { readonly state: string };
  readonly tasks: readonly {
    readonly taskId: string;
    readonly mapIndex: string;
    readonly state: string;
    readonly tryNumber: number;
  }[];
}

type States = Map<string, string>;

/** What a client that starts with nothing knows after each event. */
function apply(states: States, change: StateChange): void {
  if (change.run !== undefined) states.set(change.runId, change.run.state);
  for (const task of change.tasks)
    states.set(`${change.runId}/${task.taskId}[${task.mapIndex}]`, `${task.state} ${task.tryNumber}`);
}

describe('live events and asOf', () => {
  let api: ApiUnderTest;
  beforeEach(async () => {
    api = await ApiUnderTest.start();
    await api.blobs.put(RANDOM_VERSION_BYTES);
  });
  afterEach(() => api.stop());

  const stream = (query: string, last: number, headers: Record<string, string> = {}): Promise<ServerEvent[]> =>
    serverEvents(`${api.server.url}/api/v1/events${query}`, (event) => event.id === last, headers);

  /** Something of the DAG itself, after all the rest; answers its position. */
  const markTheEnd = (): Promise<number> =>
    appendHistory(api.store, [{ stream: 'dag-random', type: 'DagRetired', data: { reason: 'the end' }, at: 1 }]);

  async function statesAsOf(position: number, runIds: readonly string[]): Promise<States> {
    const states: States = new Map();
    for (const runId of runIds) {
      const run = await api.get<{ state: string }>(`/dags/random/runs/${encodeURIComponent(runId)}?asOf=${position}`);
      if (run.status === 404) continue;
      states.set(runId, run.body.state);
      const tasks = await api.get<{ items: StateChange['tasks'] }>(
        `/dags/random/runs/${encodeURIComponent(runId)}/tasks?asOf=${position}&limit=1000`,
      );
      for (const { taskId, mapIndex, state, tryNumber } of tasks.body.items)
        if (state !== 'none' || tryNumber > 0) states.set(`${runId}/${taskId}[${mapIndex}]`, `${state} ${tryNumber}`);
    }
    return states;
  }

  it.each([21, 22])('what was seen live at each position is what asOf answers for it (seed %i)', async (seed) => {
    const history = randomHistory(seed, 160, 2);
    const runIds = ['run:0', 'run:1'];
    const isEnd = (event: ServerEvent): boolean => (event.data as { type: string }).type === 'DagRetired';
    const listening = serverEvents(`${api.server.url}/api/v1/events?after=0`, isEnd);
    // In small pieces, so that the events are heard while more are written.
    for (let at = 0; at < history.length; at += 7) await appendHistory(api.store, history.slice(at, at + 7));
    await markTheEnd();
    const seen = (await listening).filter((event) => event.event === 'state');
    expect(seen.length).toBeGreaterThan(30);
    const states: States = new Map();
    for (const { id, data } of seen) {
      apply(states, data as StateChange);
      const plain = new Map([...states].filter(([, state]) => state !== 'none 0'));
      expect([id, Object.fromEntries(await statesAsOf(id!, runIds))]).toEqual([id, Object.fromEntries(plain)]);
    }
  });

  it('goes on after the Last-Event-ID without a gap, also in the middle of a run', async () => {
    await appendHistory(api.store, randomHistory(23, 120, 2));
    const last = await markTheEnd();
    const all = await stream('?after=0', last);
    const middle = Math.floor(all.length / 2);
    const rest = await stream('', last, { 'last-event-id': String(all[middle]!.id) });
    expect(rest).toEqual(all.slice(middle + 1));
  });

  it('follows one DAG, or one run, and nothing whose name only begins so', async () => {
    await appendHistory(api.store, randomHistory(24, 120, 2));
    const other = {
      runId: 'r',
      runType: 'manual',
      logicalDate: null,
      dataInterval: null,
      runAfter: 1,
      triggeredBy: 'user',
    };
    await appendHistory(api.store, [{ stream: 'dag-random2', type: 'RunRequested', data: other, at: 1 }]);
    const last = await markTheEnd();
    const all = await stream('?after=0&dagId=random', last);
    expect(new Set(all.map((event) => (event.data as { dagId: string }).dagId))).toEqual(new Set(['random']));
    const ofRun = all.filter((event) => (event.data as StateChange).runId === 'run:0');
    expect(await stream('?after=0&dagId=random&runId=run:0', ofRun.at(-1)!.id!)).toEqual(ofRun);
  });

  it('refuses what it cannot follow', async () => {
    expect(await api.get('/events?runId=r')).toMatchObject({ status: 400, body: { errors: [{ name: 'runId' }] } });
    expect(await api.get('/events', { 'last-event-id': 'x' })).toMatchObject({
      status: 400,
      body: { errors: [{ in: 'header', name: 'Last-Event-ID' }] },
    });
  });

  describe('a log', () => {
    const attempt = { dagId: 'random', runId: 'r', taskId: 'first', mapIndex: [], tryNumber: 1, leg: 1 };
    const key = { taskId: 'first', mapIndex: [], tryNumber: 1, leg: 1 };
    const own = (type: string, data: object) => ({ stream: 'dagRun-random:r', type, data: { ...data, at: 5 }, at: 5 });
    const line = (text: string) => ({ at: 1, stream: 'stdout' as const, text });
    const path = '/dags/random/runs/r/tasks/first/log';
    beforeEach(async () => {
      const { RANDOM_VERSION } = await import('@rondo/testing');
      const facts = {
        runId: 'r',
        runType: 'manual',
        logicalDate: null,
        dataInterval: null,
        runAfter: 1,
        triggeredBy: 'user',
      };
      await api.given(
        { stream: 'dag-random', type: 'RunRequested', data: facts, at: 1 },
        own('RunStarted', { ...facts, dagId: 'random', version: RANDOM_VERSION }),
      );
    });

    const begin = () => api.given(own('TaskScheduled', key), own('TaskStarted', key));
    const end = () => api.given(own('TaskSucceeded', key));

    it('is answered from a line on', async () => {
      expect((await api.get(path)).body).toEqual({ lines: [], next: 0 });
      await begin();
      await api.logs.append(attempt, [line('one'), line('two'), line('three')]);
      expect((await api.get(`${path}?from=1&limit=1`)).body).toEqual({ lines: [line('two')], next: 2 });
      expect((await api.get('/dags/random/runs/r/tasks/nothing/log')).status).toBe(404);
    });

    it('is followed until the try has ended', async () => {
      await begin();
      await api.logs.append(attempt, [line('one')]);
      const following = serverEvents(`${api.server.url}/api/v1${path}?follow=true`, (event) => event.event === 'end');
      await new Promise((resolve) => setTimeout(resolve, 100));
      await api.logs.append(attempt, [line('two')]);
      await end();
      const events = await following;
      expect(events.at(-1)).toMatchObject({ event: 'end' });
      const lines = events.flatMap((event) => (event.data as { lines?: { text: string }[] }).lines ?? []);
      expect(lines.map((each) => each.text)).toEqual(['one', 'two']);
    });

    it('is followed as JSON lines, from before the first try', async () => {
      const answer = fetch(`${api.server.url}/api/v1${path}?follow=true`, {
        headers: { accept: 'application/x-ndjson' },
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      await begin();
      await api.logs.append(attempt, [line('one'), line('two')]);
      await end();
      const text = await (await answer).text();
      expect(
        text
          .trim()
          .split('\n')
          .map((each) => (JSON.parse(each) as { text: string }).text),
      ).toEqual(['one', 'two']);
    });
  });
});
