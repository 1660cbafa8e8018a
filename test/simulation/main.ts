import { parseArgs } from 'node:util';
import { simulate, type SimulationResult } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    calm: { type: 'boolean', default: false },
  },
});
const first = Number(values.seed ?? 1);
const count = values.seed === undefined ? Number(values.seeds) : 1;
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  const begin = performance.now();
  const result = await simulate({ seed, withFaults: !values.calm, keepsTrace: values.trace });
  if (values.trace) console.log(result.trace.join('\n'));
  const { figures, violations } = result;
  console.log(
    seed,
    Math.round(performance.now() - begin),
    'ms',
    JSON.stringify(figures),
    result.digest.slice(0, 8),
    violations.slice(0, 5).join('\n   '),
  );
  if (violations.length > 0) failed++;
  void (result satisfies SimulationResult);
}
console.log(`${failed} of ${count} failed`);
