import { dagDefinition, RunHarness as Run } from '@rondo/testing';

const outlets = [
  { kind: 'asset' as const, name: 'a', uri: 's3://a', extra: { owner: 'ops' } },
  { kind: 'alias' as const, name: 'x' },
];
const definition = dagDefinition({ tasks: [{ id: 'make', outlets }] });
const update = { name: 'a', uri: 's3://a' };
const updatesOf = (run: Run): unknown => run.dataOf('TaskSucceeded')['assets'];

describe('updates of assets', () => {
  it('stand in the success of the task that made them', () => {
    const run = Run.started(definition);
    run.finish('make', { kind: 'success', assets: [{ ...update, extra: { n: 1 } }] });
    expect(updatesOf(run)).toEqual([{ ...update, extra: { n: 1 } }]);
  });

  it('are of the partition of the run, unless the task says otherwise', () => {
    const run = Run.started(definition, { partitionKey: 'k' });
    run.finish('make', { kind: 'success', assets: [update, { ...update, partitionKey: 'own' }] });
    expect(updatesOf(run)).toEqual([
      { ...update, partitionKey: 'k' },
      { ...update, partitionKey: 'own' },
    ]);
  });

  it('are left out where there are none', () => {
    const run = Run.started(definition);
    run.finish('make', { kind: 'success', assets: [] });
    expect(run.dataOf('TaskSucceeded')).not.toHaveProperty('assets');
  });

  it('of a task that ends without a child are its outlets, without what only the asset is known by', () => {
    const run = Run.started(definition);
    const request = { dagId: 'other', wait: true, allowedStates: ['success' as const], skipWhenAlreadyExists: false };
    run.finish('make', { kind: 'trigger', request });
    run.answer('make', { kind: 'ended', state: 'success' });
    expect(updatesOf(run)).toEqual([update]);
  });
});
