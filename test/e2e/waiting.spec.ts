/** Tasks that wait for events, for other DAGs and for people, on a whole platform. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Project, rondo, runPath, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
let project: Project;
let served: Served;

const EVENTS = `import { EventSensor, ExternalTaskSensor } from '@rondo/operators';
import { Dag, task } from '@rondo/sdk';

const paid = new Dag({ id: 'paid', params: { order: '42' } }, () => {
  const event = new EventSensor({
    id: 'event',
    type: 'order.paid',
    subject: 'orders/{{ params.order }}',
    filter: { data: { currency: 'EUR' } },
    lookBack: '1h',
  });
  const ship = task('ship', async (ctx) => ((await ctx.xcom.pull('event')) as { data: { sum: number } }).data.sum);
  event.to(ship());
});
const after = new Dag({ id: 'after' }, () => {
  new ExternalTaskSensor({ id: 'other', externalDagId: 'paid', externalRunId: '{{ run_id }}', externalTaskIds: 'ship' });
});
export default [paid, after];
`;
const RELEASE = `import { ApprovalOperator } from '@rondo/operators';
import { Dag, param, task } from '@rondo/sdk';

export default new Dag({ id: 'release' }, () => {
  const approve = new ApprovalOperator({
    id: 'approve',
    subject: 'Release {{ run_id }}?',
    body: 'See **the notes**.',
    form: { share: param(10, { type: 'integer', minimum: 1, maximum: 100 }) },
    assignees: ['ada', 'bob'],
  });
  const roll = task('roll', async (ctx) => ((await ctx.xcom.pull('approve')) as { params: { share: number } }).params.share);
  approve.to(roll());
});
`;

beforeAll(async () => {
  project = new Project();
  project.write('events.ts', EVENTS);
  project.write('release.ts', RELEASE);
  served = await project.serve();
});
afterAll(() => project.remove());

const send = (subject: string, data: object, id: string) =>
  served.post('/events', { specversion: '1.0', id, source: '/shop', type: 'order.paid', subject, data });

describe('an event', () => {
  it('wakes its sensor, which holds no slot meanwhile and says what it waits for', async () => {
    const runId = await served.trigger('paid', { conf: { order: '1' } });
    await served.taskIs('paid', runId, 'event', 'deferred');
    const { reasons } = await served.get<{ reasons: Row[] }>(`${runPath('paid', runId)}/tasks/event/reasons`);
    expect(reasons).toContainEqual({
      rule: 'waiting_for',
      passed: false,
      reason: "waits for an event of type 'order.paid' about 'orders/1' that its filter lets through",
    });
    await send('orders/1', { currency: 'USD', sum: 1 }, 'usd');
    await send('orders/1', { currency: 'EUR', sum: 7 }, 'eur');
    expect(await served.ended('paid', runId)).toMatchObject({ state: 'success' });
    expect(await served.xcom('paid', runId, 'ship')).toBe(7);
  });

  it('that came before its sensor still counts', async () => {
    await send('orders/2', { currency: 'EUR', sum: 8 }, 'early');
    const runId = await served.trigger('paid', { conf: { order: '2' } });
    expect(await served.ended('paid', runId)).toMatchObject({ state: 'success' });
    expect(await served.xcom('paid', runId, 'ship')).toBe(8);
  });

  it('wakes it after the platform was killed, and what waits for its DAG with it', async () => {
    const runId = await served.trigger('paid', { conf: { order: '3' }, runId: 'killed' });
    await served.trigger('after', { runId: 'killed' });
    await served.taskIs('paid', runId, 'event', 'deferred');
    await served.taskIs('after', 'killed', 'other', 'deferred');
    await served.platform.end('SIGKILL');
    served = await project.serve();
    expect(await served.task('paid', runId, 'event')).toMatchObject({ state: 'deferred', tryNumber: 1 });
    const { code, out } = await rondo(
      ...['--data', project.data, 'events', 'send', 'order.paid', '--subject', 'orders/3'],
      ...['--payload', '{"currency": "EUR", "sum": 9}', '--id', 'cli'],
    );
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('event cli of type order.paid is at') });
    for (const dagId of ['paid', 'after'])
      expect(await served.ended(dagId, 'killed')).toMatchObject({ state: 'success' });
    expect(await served.xcom('paid', 'killed', 'ship')).toBe(9);
  });
});

describe('an approval', () => {
  it('is asked for, refused to others, given with its form, and stands in the history', async () => {
    const runId = await served.trigger('release');
    await served.taskIs('release', runId, 'approve', 'deferred');
    const question = `/approvals/release/${encodeURIComponent(runId)}/approve`;
    expect(await served.get(question)).toMatchObject({
      state: 'open',
      subject: `Release ${runId}?`,
      options: ['Approve', 'Reject'],
      assignees: ['ada', 'bob'],
    });
    await expect(served.post(question, { options: ['Approve'], by: 'eve' })).rejects.toThrow(
      "'eve' may not answer; those who may are 'ada', 'bob'",
    );
    await expect(served.post(question, { options: ['Approve'], by: 'ada', params: { share: 0 } })).rejects.toThrow(
      'params.share',
    );
    const answered = await rondo(
      ...['--data', project.data, 'approvals', 'respond', 'release', runId, 'approve', 'Approve'],
      ...['--as', 'ada', '--params', '{"share": 25}'],
    );
    expect(answered).toMatchObject({ code: 0, out: 'approve is answered: Approve\n' });
    expect(await served.ended('release', runId)).toMatchObject({ state: 'success' });
    expect(await served.xcom('release', runId, 'roll')).toBe(25);
    const { items } = await served.get<Rows>('/approvals?state=answered');
    expect(items).toMatchObject([{ runId, response: { respondedBy: 'ada', params: { share: 25 } } }]);
    const events = await served.get<Rows>(`${runPath('release', runId)}/events?limit=1000`);
    expect(events.items.filter((each) => each['type'] === 'ApprovalResponded')).toHaveLength(1);
  });

  it('that is a no skips what comes after it', async () => {
    const runId = await served.trigger('release');
    await served.taskIs('release', runId, 'approve', 'deferred');
    await served.post(`/approvals/release/${encodeURIComponent(runId)}/approve`, { options: ['Reject'], by: 'bob' });
    expect(await served.ended('release', runId)).toMatchObject({ state: 'success' });
    expect(await served.task('release', runId, 'roll')).toMatchObject({ state: 'skipped' });
  });
});
