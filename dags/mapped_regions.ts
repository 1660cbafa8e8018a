/** An instance for each item of a list that is known only when the run is under way: of a task, and of a whole group. */
import { BashOperator } from '@rondo/operators';
import { Dag, Skip, task, taskGroup } from '@rondo/sdk';

const STATIONS: Readonly<Record<string, readonly number[]>> = { north: [12.5, 11, -99], south: [19, 21.5], west: [] };

export default new Dag({ id: 'mapped_regions', params: { regions: ['north', 'south', 'west'] } }, () => {
  const regions = task('regions', (ctx) => ctx.params['regions'] as string[])();

  // A shell command for each region; `map` makes the argument, and leaves one out.
  BashOperator.partial({ id: 'archive', retries: 1 }).expand({
    command: regions.map((region) => {
      if (STATIONS[region] === undefined) throw new Skip(`no stations in ${region}`);
      return `echo ${region}.csv`;
    }),
  });

  // The whole group for each region; in it a task for each reading of the region.
  const perRegion = taskGroup('per_region', { mapIndexTemplate: '{{ name }}' }).expand(
    { name: regions },
    ({ name }) => {
      const readings = task('readings', (_ctx, region: string) => STATIONS[region] ?? [])(name);
      const check = task(
        'check',
        (ctx, celsius: number) => {
          ctx.templates.set('celsius', celsius);
          if (celsius < -90) throw new Skip('the station is broken');
          return celsius;
        },
        { mapIndexTemplate: '{{ celsius }} degrees' },
      ).expand(readings);
      return task(
        'mean',
        (_ctx, { region, valid }: { region: string; valid: readonly number[] }) => ({
          region,
          mean: valid.length === 0 ? null : valid.reduce((sum, each) => sum + each, 0) / valid.length,
        }),
        { triggerRule: 'all_done' },
      )({ region: name, valid: check });
    },
  );

  task('report', perRegion.result, (ctx, means) => {
    for (const { region, mean } of means) ctx.log.info(`${region}: ${mean ?? 'no'} degrees`);
    return means.length;
  });
});
