import type { ConnectOptions, PersistentSubscriptions, RecordedEvent } from '@rondo/ports';
import { ALERTING_TYPES, alertOf, type Alert } from './alert.ts';
import { Alerts } from './alerts.ts';

const recorded = (type: string, data: object, stream = 'dagRun-etl:manual__2026:1'): RecordedEvent => ({
  ...{ position: 5, stream, revision: 0, id: 'e1', type, meta: '{}' },
  data: JSON.stringify({ at: 7, ...data }),
});
const key = { taskId: 'load', mapIndex: [2, 0], tryNumber: 3, leg: 0 };
const error = { kind: 'error', message: 'disk full' };

describe('what people are told', () => {
  it('names the DAG, the run, the task and why', () => {
    expect(alertOf(recorded('TaskFailed', { ...key, error }))).toEqual({
      ...{ id: 'e1', what: 'task_failed', dag: 'etl', run: 'manual__2026:1', at: 7 },
      ...{ task: 'load', mapIndex: '2.0', tryNumber: 3, reason: 'disk full' },
    });
    expect(alertOf(recorded('RunFailed', { reason: 'timed_out' }))).toEqual({
      ...{ id: 'e1', what: 'run_failed', dag: 'etl', run: 'manual__2026:1', at: 7, reason: 'timed_out' },
    });
  });

  it.each([
    ['TaskLost', { ...key, reason: 'gone' }, 'task_lost'],
    ['TaskRetryScheduled', { ...key, error, retryAt: 9 }, 'task_retried'],
    ['TaskSucceeded', { ...key, mapIndex: [] }, 'task_succeeded'],
    ['RunSucceeded', { reason: 'all_tasks_done' }, 'run_succeeded'],
  ])('tells of %s', (type, data, what) => {
    expect(alertOf(recorded(type, data))).toMatchObject({ what });
  });

  it('leaves everything else out', () => {
    expect(alertOf(recorded('TaskScheduled', key))).toBeUndefined();
  });
});

/** A store that gives events when it is told to, and remembers what became of them. */
async function following(tell: (alert: Alert) => void) {
  let connected: ConnectOptions | undefined;
  let replays = 0;
  const made: unknown[] = [];
  const problems: string[] = [];
  const subscriptions: PersistentSubscriptions = {
    create: async (subscription) => void made.push(subscription),
    connect: (options) => {
      connected = options;
      return { stop: async () => undefined };
    },
    info: async () => ({ parked: 2 }),
    listParked: async () => [],
    replayParked: async () => void replays++,
    delete: async () => undefined,
    close: async () => undefined,
  };
  const alerts = new Alerts({
    ...{ subscriptions, tell, onDrop: () => undefined },
    onProblem: (message) => problems.push(message),
  });
  await alerts.start();
  return { alerts, made, problems, replays: () => replays, give: async (e: RecordedEvent) => connected!.onEvent(e, 0) };
}

describe('telling', () => {
  it('is done once it has worked, tried again when it has not, and given up for what cannot be read', async () => {
    let isAway = true;
    const told: Alert[] = [];
    const { give, problems, alerts, made } = await following((alert) => {
      if (isAway) throw new Error('away');
      told.push(alert);
    });
    const event = recorded('RunSucceeded', { reason: 'all_tasks_done' });
    expect(await give(event)).toBe('retry');
    isAway = false;
    expect(await give(event)).toBe('ack');
    expect(told).toHaveLength(1);
    expect(await give(recorded('TaskScheduled', key))).toBe('skip');
    expect(await give({ ...event, data: '{' })).toBe('park');
    expect(await give({ ...event, stream: 'elsewhere' })).toBe('park');
    expect(problems).toHaveLength(3);
    expect(await alerts.stand()).toEqual({ told: 1, parked: 2 });
    expect(made).toEqual([{ name: 'rondo-alerting', eventTypes: ALERTING_TYPES, after: 'end', maxRetries: 10 }]);
  });

  it('is done again for what was laid aside', async () => {
    const { alerts, replays } = await following(() => undefined);
    await alerts.replayParked();
    expect(replays()).toBe(1);
  });
});
