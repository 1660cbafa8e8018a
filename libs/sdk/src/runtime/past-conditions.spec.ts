import { Dag, task } from '../authoring/index.ts';
import type { PastCondition } from '../authoring/index.ts';
import { collectDags, runCallback, serialiseDag } from './index.ts';

async function ask(conditions: Readonly<Record<string, PastCondition | boolean>>, conf = {}) {
  const dag = new Dag({ id: 'd', params: { day: 1 } }, () => {
    for (const [id, dependsOnPast] of Object.entries(conditions)) task(id, () => 1, { dependsOnPast });
  });
  expect(collectDags({ default: dag }, 'dag.ts').errors).toEqual([]);
  const log: string[] = [];
  const { past } = await runCallback({
    dag,
    services: {} as never,
    signal: new AbortController().signal,
    log: (level, text) => log.push(`${level}: ${text}`),
    env: {},
    root: '/',
    mask: (text) => text.replaceAll('secret', '***'),
    input: {
      ...{ id: 'd:r::dependsOnPast', dagId: 'd', runId: 'r', callback: 'dependsOnPast', reason: '', position: 0 },
      bundle: { hash: 'h', file: 'dag.ts' },
      run: {
        ...{ runType: 'scheduled', logicalDate: Date.UTC(2026, 4, 1), dataInterval: null, conf },
        ...{ runAfter: 0, startedAt: 0, triggeredBy: 'timetable' },
      },
    },
  });
  return { past, log, definitions: serialiseDag(dag).tasks };
}

describe('functions of dependsOnPast', () => {
  it('are asked with the context of the run, each for its task', async () => {
    const { past, definitions } = await ask(
      {
        first: (ctx) => ctx.logicalDate?.getUTCDate() === 1,
        second: async (ctx) => ctx.params.day === 2,
        third: (ctx) => ctx.run.runType === 'manual',
        always: true,
      },
      { day: 2 },
    );
    expect(past).toEqual({ depends: ['first', 'second'] });
    expect(definitions.map(({ dependsOnPast, pastCondition }) => [dependsOnPast, pastCondition])).toEqual([
      [true, true],
      [true, true],
      [true, true],
      [true, undefined],
    ]);
  });

  it('that fail count as true, and are told without secrets', async () => {
    const { past, log } = await ask({
      throws: () => {
        throw new TypeError('a secret');
      },
      vague: () => 'yes' as never,
    });
    expect(past).toEqual({
      depends: ['throws', 'vague'],
      errors: {
        throws: { kind: 'exception', type: 'TypeError', message: 'a ***' },
        vague: { kind: 'exception', message: "dependsOnPast answered 'yes'; allowed: true or false" },
      },
    });
    expect(log.join()).toContain('dependsOnPast of task throws failed');
  });

  it('are refused for anything but a function or a truth value', () => {
    const dag = new Dag({ id: 'd' }, () => void task('t', () => 1, { dependsOnPast: 'yes' as never }));
    expect(dag.complete().join()).toContain("dependsOnPast is 'yes'; allowed: true, false, or a function of the run");
  });
});
