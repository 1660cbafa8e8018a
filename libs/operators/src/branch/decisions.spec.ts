import { Dag, serialiseDag, type Task } from '@rondo/sdk';
import { message, run, type Ran } from '../../test/harness.ts';
import { isInWindow } from './branch-date-time-operator.ts';
import {
  branch,
  BranchDateTimeOperator,
  BranchOperator,
  EmptyOperator,
  LatestOnlyOperator,
  shortCircuit,
  TriggerDagRunOperator,
} from '../index.ts';

describe('decisions', () => {
  const decide = (first: () => Task, taskId = 't'): Promise<Ran> =>
    run(() => first().to([new EmptyOperator({ id: 'a' }), new EmptyOperator({ id: 'b' })]), {}, taskId);

  it('branch', async () => {
    expect((await decide(() => new BranchOperator({ id: 't', fn: () => 'a' }))).outcome).toEqual({
      kind: 'success',
      xcoms: { return_value: { value: 'a' } },
      skip: { kind: 'branch', follow: ['a'] },
    });
    expect(
      (await decide(() => branch('t', (_ctx, n: number) => (n > 0 ? ['a', 'b'] : null))(1))).outcome,
    ).toMatchObject({ skip: { kind: 'branch', follow: ['a', 'b'] } });
    expect((await decide(() => branch('t', () => null)())).outcome).toEqual({
      kind: 'success',
      skip: { kind: 'branch', follow: [] },
    });
    expect((await decide(() => branch('t', () => 'zz')())).outcome).toMatchObject({
      kind: 'failed',
      error: { kind: 'branch' },
    });
    // @ts-expect-error: a branch chooses ids
    branch('t', () => 5);
  });

  it('short circuit', async () => {
    expect((await decide(() => shortCircuit('t', () => 0)())).outcome).toMatchObject({
      skip: { kind: 'shortCircuit', ignoreDownstreamTriggerRules: true },
    });
    expect(
      (await decide(() => shortCircuit('t', () => [], { ignoreDownstreamTriggerRules: false })())).outcome,
    ).toMatchObject({ skip: { ignoreDownstreamTriggerRules: false } });
    expect((await decide(() => shortCircuit('t', () => 'go')())).outcome).toEqual({
      kind: 'success',
      xcoms: { return_value: { value: 'go' } },
    });
  });

  it('by date and time', async () => {
    const window = {
      targetLower: '05:30',
      targetUpper: '06:30',
      useTaskLogicalDate: true,
      followTaskIdsIfTrue: 'a',
      followTaskIdsIfFalse: ['b'],
    };
    expect((await decide(() => new BranchDateTimeOperator({ id: 't', ...window }))).outcome).toMatchObject({
      skip: { follow: ['a'] },
    });
    expect(
      (await decide(() => new BranchDateTimeOperator({ id: 't', ...window, targetUpper: '05:45' }))).outcome,
    ).toMatchObject({ skip: { follow: ['b'] } });
    const at = new Date('2024-12-01T23:30:00Z');
    expect(isInWindow(at, { targetLower: '23:00', targetUpper: '01:00' }, 'UTC')).toBe(true);
    expect(isInWindow(at, { targetLower: '2024-12-01T23:30', targetUpper: '2024-12-02T00:00+01:00' }, 'UTC')).toBe(
      false,
    );
    expect(isInWindow(at, { targetUpper: '2024-12-02T00:30+01:00' }, 'UTC')).toBe(true);
    const make = (args: object) =>
      new Dag({ id: 'd' }, () => void new BranchDateTimeOperator({ id: 't', ...args } as never));
    expect(() => make({ followTaskIdsIfTrue: 'a', followTaskIdsIfFalse: 'b' })).toThrow(
      /targetLower is undefined; allowed: .*targetLower|targetLower, targetUpper or both/,
    );
    expect(() => make({ ...window, targetLower: '25:00' })).toThrow(
      /targetLower is '25:00'; allowed: ISO date and time/,
    );
    expect(make(window).complete().map(String).join()).toMatch(/'a' is no task or group of the DAG/);
  });

  it('trigger another DAG', async () => {
    const { outcome, rendered } = await run(
      () =>
        new TriggerDagRunOperator({
          id: 't',
          triggerDagId: 'other',
          triggerRunId: 'for_{{ ds }}',
          conf: { day: '{{ ds }}' },
          logicalDate: '{{ ts }}',
          waitForCompletion: true,
        }),
    );
    expect(outcome).toEqual({
      kind: 'trigger',
      request: {
        dagId: 'other',
        runId: 'for_2024-12-01',
        conf: { day: '2024-12-01' },
        logicalDate: Date.UTC(2024, 11, 1, 5),
        wait: true,
        allowedStates: ['success'],
        skipWhenAlreadyExists: false,
      },
    });
    expect(rendered).toMatchObject({ triggerRunId: 'for_2024-12-01' });
    expect(
      message(await run(() => new TriggerDagRunOperator({ id: 't', triggerDagId: 'o', logicalDate: 'soon' }))),
    ).toContain("logicalDate is 'soon'; allowed: ISO text");
  });

  it('that need no process say so', () => {
    const d = new Dag({ id: 'd' }, () => [
      new EmptyOperator({ id: 'e' }),
      new EmptyOperator({ id: 'c', onSuccess: () => 1 }),
      new LatestOnlyOperator({ id: 'l' }),
    ]);
    expect(serialiseDag(d).tasks.map((t) => [t.operator, t.runs])).toEqual([
      ['EmptyOperator', 'empty'],
      ['EmptyOperator', 'child'],
      ['LatestOnlyOperator', 'latest_only'],
    ]);
  });
});
