import { meterOf, withPlatform } from '../bench-platform.ts';
import { dagSource } from '../dag-files.ts';
import { quantile, round } from '../host.ts';
import type { BenchOptions } from '../options.ts';

/** N DAGs on hourly schedules at different minutes, nothing due: what it costs to wait. */
export function idle(options: BenchOptions): Promise<object> {
  const dags = options.dags ?? 1_000;
  const seconds = options.seconds ?? 20;
  const source =
    dagSource('unused', "  make('t');", options.body).replace(/export default[\s\S]*$/, '') + manyDags(dags);
  return withPlatform(options, { 'many.ts': source }, async ({ platform }) => {
    const facts = meterOf(platform);
    const lags: number[] = [];
    const cpu = process.cpuUsage();
    const begin = performance.now();
    while (performance.now() - begin < seconds * 1_000) {
      const asked = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 50));
      lags.push(performance.now() - asked - 50);
    }
    const used = process.cpuUsage(cpu);
    const wall = (performance.now() - begin) / 1_000;
    lags.sort((a, b) => a - b);
    return {
      scenario: 'idle',
      size: dags,
      seconds: round(wall),
      perSecond: 0,
      p50Ms: quantile(lags, 0.5),
      p99Ms: quantile(lags, 0.99),
      cpuPercentOfACore: round(((used.user + used.system) / 1e6 / wall) * 100),
      ...facts(0, wall),
    };
  });
}

function manyDags(count: number): string {
  return `
const hour = new Date().getUTCHours;
export default Array.from({ length: ${count} }, (_, i) => new Dag({ id: 'idle_' + i, schedule: (i % 60) + ' 3 1 1 *', startDate: '2100-01-01', isPausedUponCreation: false }, () => { make('t'); }));
`.replace(/const hour.*\n/, '');
}
