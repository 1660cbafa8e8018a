import { dagDefinition, RunHarness, viewOf } from '@rondo/testing';

/** `bad` fails: one way down to `join` is skipped, a longer one has failed upstream. */
const definition = dagDefinition({
  tasks: [
    { id: 'good' },
    { id: 'bad' },
    { id: 'skips', upstream: ['bad'], triggerRule: 'all_skipped' },
    { id: 'fails', upstream: ['bad', 'good'] },
    { id: 'further', upstream: ['fails'] },
    { id: 'join', upstream: ['skips', 'further'] },
  ],
});

describe('what one end brings about', () => {
  it('is worked out from above: each rule sees all that its upstream comes to', () => {
    const run = RunHarness.started(definition);
    run.finish('good');
    run.finish('bad', 'fail');
    expect(run.states).toMatchObject({ skips: 'skipped', further: 'upstream_failed', join: 'upstream_failed' });
  });

  it('is the same when it is cut anywhere and completed after a restart', () => {
    const run = RunHarness.started(definition);
    run.finish('good');
    const before = run.history.length;
    run.finish('bad', 'fail');
    const failed = run.history.findIndex((e) => e.type === 'TaskFailed') + 1;
    expect(failed).toBeGreaterThan(before);
    for (let cut = failed; cut <= run.history.length; cut++) {
      const back = new RunHarness(definition, { history: run.history.slice(0, cut) });
      back.decide(() => undefined);
      expect(viewOf(back.run)).toEqual(viewOf(run.run));
    }
  });
});

describe('an instance that waits for its retry', () => {
  const tasks = [
    { id: 'gate' },
    { id: 'a', upstream: ['gate'], triggerRule: 'always' as const, retries: 1, retryDelayMs: 60_000 },
  ];

  it('heeds what was decided above it while it ran, at once and not after the delay', () => {
    const run = RunHarness.started(dagDefinition({ tasks }));
    run.finish('gate', { shortCircuit: false });
    run.finish('a', 'fail');
    expect(run.states).toEqual({ gate: 'success', a: 'skipped' });
    expect(viewOf(run.replay())).toEqual(viewOf(run.run));
  });
});
