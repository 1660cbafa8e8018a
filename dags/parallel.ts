/** A fan-out and a fan-in: independent shell commands at the same time, and one task that waits for all of them. */
import { BashOperator } from '@rondo/operators';
import { Dag, task } from '@rondo/sdk';

export default new Dag(
  { id: 'parallel', description: 'Four shell commands at the same time', tags: ['example'], maxActiveTasks: 4 },
  () => {
    const begin = task('begin', (ctx) => ctx.log.info(`run ${ctx.run.runId} begins`));
    const work = ['alpha', 'beta', 'gamma', 'delta'].map(
      (name) => new BashOperator({ id: name, command: `echo "${name} of {{ run_id }}"` }),
    );
    const end = task('end', work, (ctx, lines) => ctx.log.info(lines.join('\n')));
    begin.to(work).to(end);
  },
);
