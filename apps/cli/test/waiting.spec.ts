import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApi, rondo, rowsOf } from './fake-api.ts';

let api: FakeApi;
let folder: string;
beforeEach(async () => {
  api = await FakeApi.start();
  folder = await mkdtemp(join(tmpdir(), 'rondo-cli-'));
});
afterEach(async () => {
  await api.stop();
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: string[]) => rondo([...args, '--url', api.url], { cwd: folder });

describe('events', () => {
  const sent = { events: [{ id: 'e1', source: '/s', type: 'order.paid', position: 12 }] };

  it('are sent with what is given of them', async () => {
    api.on('POST /events', { body: sent });
    const args = ['--payload', '{"sum": 3}', '--source', '/s', '--subject', 'o/1', '--id', 'e1'];
    expect((await call('events', 'send', 'order.paid', ...args)).out).toBe(
      'event e1 of type order.paid is at position 12\n',
    );
    expect(api.received[0]?.body).toMatchObject({
      specversion: '1.0',
      id: 'e1',
      source: '/s',
      type: 'order.paid',
      subject: 'o/1',
      data: { sum: 3 },
    });
    await call('events', 'send', 'order.paid');
    await call('events', 'send', 'order.paid');
    const [, one, two] = api.received.map(({ body }) => (body as { id: string }).id);
    expect(one).not.toBe(two);
  });

  it('are sent from a file', async () => {
    api.on('POST /events', { body: sent });
    await writeFile(join(folder, 'events.json'), '[{"id": "1", "source": "/s", "type": "t"}]');
    await call('events', 'send', '--file', 'events.json');
    expect(api.received[0]?.body).toEqual([{ id: '1', source: '/s', type: 't' }]);
    expect(await call('events', 'send', 't', '--file', 'events.json')).toMatchObject({ code: 2 });
    expect(await call('events', 'send')).toMatchObject({ code: 2 });
  });

  it('are listed', async () => {
    const event = { id: 'e1', source: '/s', type: 't', data: { n: 1 } };
    api.on('GET /events/received', { body: { types: [], items: [{ position: 7, receivedAt: 0, event }] } });
    expect(rowsOf((await call('events', 'list', '--type', 't', '--limit', '5')).out)).toEqual([
      ['7', '1970-01-01 00:00:00Z', 't', '/s', '-', 'e1', '{"n":1}'],
    ]);
    expect(api.received[0]?.query).toEqual({ type: 't', limit: '5' });
  });
});

describe('approvals', () => {
  const asked = {
    ...{ dagId: 'd', runId: 'r', taskId: 't', mapIndex: '', tryNumber: 1, leg: 1, state: 'open', subject: 'Ship?' },
    ...{ body: 'Look at **it**', options: ['Yes', 'No'], multiple: false, defaults: ['No'], assignees: ['ada'] },
    ...{
      params: { rows: { default: 3, schema: {} }, note: { schema: {} } },
      askedAt: 0,
      deadline: 1_000,
      response: null,
    },
  };
  const response = {
    chosenOptions: ['Yes'],
    params: { rows: 4 },
    respondedBy: 'ada',
    respondedAt: 500,
    timedOut: false,
  };

  it('are listed, the open ones unless told otherwise', async () => {
    api.on('GET /approvals', { body: { items: [asked, { ...asked, state: 'answered', response }], total: 2 } });
    expect(rowsOf((await call('approvals', 'list')).out)).toEqual([
      ['d', 'r', 't', 'open', '1970-01-01 00:00:00Z', 'Ship?', 'Yes, No', '-', '-'],
      ['d', 'r', 't', 'answered', '1970-01-01 00:00:00Z', 'Ship?', 'Yes, No', 'Yes', 'ada'],
    ]);
    await call('approvals', 'list', '--state', 'all', '--dag', 'd', '--assignee', 'ada');
    expect(api.received.map(({ query }) => query)).toEqual([
      { state: 'open', limit: '1000' },
      { dagId: 'd', assignee: 'ada', limit: '1000' },
    ]);
  });

  it('are shown', async () => {
    api.on('GET /approvals/d/r/t', { body: asked });
    const { out } = await call('approvals', 'show', 'd', 'r', 't');
    expect(out).toContain('form        rows (3), note\n');
    expect(out).toContain('by default  No\n');
    expect(out).toContain('Look at **it**');
    api.on('GET /approvals/d/r/t', {
      body: { ...asked, response: { ...response, respondedBy: null, timedOut: true } },
    });
    expect((await call('approvals', 'show', 'd', 'r', 't')).out).toContain('answered by  nobody: the deadline\n');
  });

  it('are answered with options, form and name', async () => {
    api.on('POST /approvals/d/r/t', { body: { ...asked, response } });
    const args = ['Yes', '--as', 'ada', '--params', '{"rows": 4}', '--map-index', '3'];
    expect((await call('approvals', 'respond', 'd', 'r', 't', ...args)).out).toBe('t is answered: Yes\n');
    expect(api.received[0]).toMatchObject({
      query: { mapIndex: '3' },
      body: { options: ['Yes'], by: 'ada', params: { rows: 4 } },
    });
  });
});
