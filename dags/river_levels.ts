/** Two DAGs that know nothing of each other: one measures, the other runs when there is something new. */
import { Asset, Dag, task } from '@rondo/sdk';

const levels = new Asset({ name: 'river_levels', group: 'rivers' });

interface Level {
  readonly river: string;
  readonly metres: number;
}

const measure = new Dag(
  { id: 'measure_rivers', description: 'Measures rivers and updates an asset', tags: ['assets'] },
  () => {
    task(
      'measure',
      (ctx): readonly Level[] => {
        const measured = [
          { river: 'Aare', metres: 1.8 },
          { river: 'Reuss', metres: 3.4 },
        ];
        ctx.outletEvents.get(levels).extra = { highest: Math.max(...measured.map(({ metres }) => metres)) };
        return measured;
      },
      { outlets: levels },
    );
  },
);

const watch = new Dag(
  { id: 'flood_watch', description: 'Warns of high rivers', schedule: levels, tags: ['assets'] },
  () => {
    task('warn', async (ctx) => {
      const { river_levels: updates = [] } = await ctx.triggeringAssetEvents();
      const highest = updates.map(({ extra }) => (extra as { readonly highest: number }).highest);
      ctx.log.info(highest.some((metres) => metres > 3) ? `high water: ${Math.max(...highest)} m` : 'no high water');
      return highest;
    });
  },
);

export default [measure, watch];
