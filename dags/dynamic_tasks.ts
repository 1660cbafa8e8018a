/** Tasks made in a loop: the shape of the DAG follows a table. */
import { Dag, task, taskGroup } from '@rondo/sdk';

const REGIONS = { north: ['oslo', 'turku'], south: ['bari', 'faro', 'nice'] } as const;

export default new Dag(
  { id: 'dynamic_tasks', description: 'One group for each region, one task for each city', tags: ['example'] },
  () => {
    const totals = Object.entries(REGIONS).map(
      ([region, cities]) =>
        taskGroup(region, () => {
          const counts = cities.map((city) => task(`count_${city}`, () => city.length)());
          return task('sum', counts, (_ctx, numbers) => numbers.reduce((sum, number) => sum + number, 0));
        }).result,
    );
    task('total', totals, (ctx, sums) => ctx.log.info(`all regions: ${sums.reduce((sum, number) => sum + number, 0)}`));
  },
);
