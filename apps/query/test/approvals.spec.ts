import { RANDOM_VERSION, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { ApiUnderTest } from './api-kit.ts';
import { eventsOf, firstTry } from './run-events.ts';

const { published, requested, started, own } = eventsOf(RANDOM_VERSION);

describe('approvals over HTTP', () => {
  let api: ApiUnderTest;
  const wait = {
    kind: 'approval',
    subject: 'Ship?',
    body: '**now**',
    options: ['Yes', 'No'],
    multiple: false,
    defaults: ['No'],
    params: { rows: { default: 3, schema: { type: 'integer', minimum: 1 } }, note: { schema: { type: 'string' } } },
    assignees: ['ada'],
  };
  const response = {
    chosenOptions: ['Yes'],
    params: { rows: 4 },
    respondedBy: 'ada',
    respondedAt: 90,
    timedOut: false,
  };
  const asked = (runId: string, change: object = {}, deadline?: number) => [
    requested(runId),
    started(runId),
    own(runId, 'TaskScheduled', firstTry, 30),
    own(
      runId,
      'TaskDeferred',
      { ...firstTry, waitFor: { ...wait, ...change }, ...(deadline === undefined ? {} : { deadline }) },
      50,
    ),
  ];
  beforeAll(async () => {
    api = await ApiUnderTest.start();
    await api.blobs.put(RANDOM_VERSION_BYTES);
    await api.given(published('random'), ...asked('open', {}, 900));
    await api.given(...asked('all', { assignees: undefined, defaults: undefined, body: undefined, params: undefined }));
    await api.given(...asked('done'), own('done', 'ApprovalResponded', { ...firstTry, response }, 90));
    await api.given(
      ...asked('late'),
      own(
        'late',
        'ApprovalResponded',
        { ...firstTry, response: { ...response, respondedBy: null, timedOut: true } },
        90,
      ),
    );
    await api.given(
      ...asked('marked'),
      own('marked', 'TaskMarked', { instances: [{ taskId: 'first', mapIndex: [] }], state: 'success' }, 95),
    );
  });
  afterAll(() => api.stop());

  const listed = async (query: string) => {
    const { body } = await api.get<{ items: { runId: string; state: string }[]; total: number }>(`/approvals${query}`);
    return Object.fromEntries(body.items.map(({ runId, state }) => [runId, state]));
  };

  it('are listed with their state, and filtered', async () => {
    const all = { open: 'open', all: 'open', done: 'answered', late: 'timed_out', marked: 'closed' };
    expect(await listed('')).toEqual(all);
    expect(await listed('?state=answered,timed_out')).toEqual({ done: 'answered', late: 'timed_out' });
    expect(await listed('?state=open&assignee=bob')).toEqual({ all: 'open' });
    expect(await listed('?assignee=ada')).toEqual(all);
    expect(await listed('?dagId=random&runId=open&taskId=first')).toEqual({ open: 'open' });
    expect((await api.get('/approvals?state=asked')).status).toBe(400);
  });

  it('are got with what is asked and answered', async () => {
    const { kind: _kind, ...question } = wait;
    expect((await api.get('/approvals/random/open/first')).body).toEqual({
      dagId: 'random',
      runId: 'open',
      taskId: 'first',
      mapIndex: '',
      tryNumber: 1,
      leg: 1,
      state: 'open',
      ...question,
      askedAt: 50,
      deadline: 900,
      response: null,
    });
    expect((await api.get('/approvals/random/all/first')).body).toMatchObject({
      body: null,
      defaults: null,
      assignees: null,
      params: {},
      deadline: null,
    });
    expect((await api.get('/approvals/random/done/first')).body).toMatchObject({ state: 'answered', response });
    expect(await api.get('/approvals/random/open/other')).toMatchObject({
      status: 404,
      body: { detail: "task instance 'other' of run 'open' of DAG 'random' has not asked anything" },
    });
  });

  it('are answered by a command, in a name', async () => {
    const position = await api.store.head();
    api.onCommand = async () => ({ ok: true, position, result: {} });
    const body = { options: ['Yes'], by: 'ada', params: { rows: 4 } };
    expect((await api.call('POST', '/approvals/random/open/first', { body })).status).toBe(200);
    expect(api.sent.at(-1)).toMatchObject({
      dagId: 'random',
      actor: { kind: 'user', name: 'local' },
      command: { type: 'respondApproval', runId: 'open', taskId: 'first', mapIndex: '', ...body },
    });
  });

  it('are refused where a field of the form is not as its schema wants it', async () => {
    const before = api.sent.length;
    const body = { options: ['Yes'], by: 'ada', params: { rows: 0 } };
    expect(await api.call('POST', '/approvals/random/open/first', { body })).toMatchObject({
      status: 400,
      body: { errors: [{ in: 'body', name: 'params.rows' }] },
    });
    expect(api.sent).toHaveLength(before);
  });

  it('are refused as the scheduler says', async () => {
    api.onCommand = async () => ({ ok: false, code: 'forbidden', message: 'not you' });
    const refused = await api.call('POST', '/approvals/random/open/first', { body: { options: ['Yes'] } });
    expect(refused).toMatchObject({ status: 403, body: { detail: 'not you' } });
  });
});
