/** Extract, transform, load: one step after the other, each handing its rows to the next. */
import { Dag, task } from '@rondo/sdk';

interface Reading {
  readonly station: string;
  readonly celsius: number | null;
}

const READINGS: readonly Reading[] = [
  { station: 'harbour', celsius: 11.4 },
  { station: 'hill', celsius: null },
  { station: 'harbour', celsius: 12.6 },
  { station: 'forest', celsius: 9.2 },
];

export default new Dag(
  {
    id: 'linear_etl',
    description: 'Three steps, one after the other',
    schedule: '0 6 * * *',
    startDate: '2026-01-01',
    isPausedUponCreation: true,
    tags: ['example'],
    defaultArgs: { retries: 1, retryDelay: '10s' },
  },
  () => {
    const extract = task('extract', () => READINGS);
    const transform = task('transform', (ctx, readings: readonly Reading[]) => {
      const complete = readings.filter((reading) => reading.celsius !== null);
      ctx.log.info(`${readings.length - complete.length} of ${readings.length} readings dropped`);
      return Object.entries(Object.groupBy(complete, ({ station }) => station)).map(([station, rows = []]) => ({
        station,
        mean: rows.reduce((sum, { celsius }) => sum + (celsius ?? 0), 0) / rows.length,
      }));
    });
    const load = task('load', (ctx, means: readonly { readonly station: string; readonly mean: number }[]) => {
      for (const { station, mean } of means) ctx.log.info(`${station}: ${mean.toFixed(1)} degrees`);
      return means.length;
    });
    load(transform(extract()));
  },
);
