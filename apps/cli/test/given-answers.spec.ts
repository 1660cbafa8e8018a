import { join } from 'node:path';
import { rondo } from './fake-api.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const EVENTS = [
  { id: '1', source: '/s', type: 'paid', subject: 'b' },
  { id: '2', source: '/s', type: 'paid', subject: 'a' },
];
const test = (...args: string[]) =>
  rondo(['dags', 'test', join(fixtures, 'asks.ts'), '--dags', fixtures, '--json', ...args]);

describe('rondo dags test', () => {
  it('takes events that have come and answers for tasks that wait for them', async () => {
    const given = ['--events', JSON.stringify(EVENTS), '--approve', 'ask=x', '--approve', 'ask=z'];
    const { code, out } = await test(...given);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      state: 'success',
      returned: { told: { first: '2', both: ['1', '2'], ask: ['x', 'z'] } },
    });
  });

  it('leaps to the end of a wait that it was given nothing for, and fails one that has no end', async () => {
    const { code, out, err } = await test('--events', JSON.stringify(EVENTS[0]));
    expect(code).toBe(1);
    const { tasks } = JSON.parse(out) as {
      readonly tasks: readonly { readonly taskId: string; readonly state: string }[];
    };
    expect(Object.fromEntries(tasks.map(({ taskId, state }) => [taskId, state]))).toEqual({
      first: 'failed',
      both: 'failed',
      ask: 'failed',
      told: 'upstream_failed',
    });
    expect(err).toContain('[first] waited in vain until');
    expect(err).toContain("[ask] the task waits for somebody to answer 'Which?' (x, y, z)");
  });

  it('refuses what is no event, no answer and no option, with what is allowed', async () => {
    expect(await test('--events', '[{"id": "1"}]')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--events holds what is no event: source: allowed is'),
    });
    expect(await test('--approve', 'ask')).toMatchObject({ code: 2, err: expect.stringContaining('TASK=OPTION') });
    expect(await test('--approve', 'ask=w')).toMatchObject({
      code: 2,
      err: expect.stringContaining("--approve ask=w: there is no option 'w'; options are 'x', 'y', 'z'"),
    });
  });
});
