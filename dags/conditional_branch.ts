/** A decision at run time: one of three ways is taken, the others are skipped, and all meet again. */
import { branch, EmptyOperator } from '@rondo/operators';
import { Dag, task } from '@rondo/sdk';

export default new Dag(
  {
    id: 'conditional_branch',
    description: 'One of three ways, by the number of orders',
    tags: ['example'],
    params: { orders: 42 },
  },
  () => {
    const count = task('count_orders', (ctx) => Number(ctx.params.orders));
    const decide = branch('decide', (_ctx, orders: number) => {
      if (orders === 0) return 'nothing_to_do';
      return orders < 100 ? 'small_batch' : 'large_batch';
    });
    const nothing = new EmptyOperator({ id: 'nothing_to_do' });
    const small = task('small_batch', () => 'one worker');
    const large = task('large_batch', () => 'four workers');
    const finish = task('finish', (ctx) => ctx.log.info('done'), { triggerRule: 'none_failed_min_one_success' });
    decide(count()).to([nothing, small, large]).to(finish);
  },
);
