import { recover, replay } from './scenarios/history.ts';
import { idle } from './scenarios/idle.ts';
import { chain, fan, mappedLike } from './scenarios/one-run.ts';
import { sensors } from './scenarios/sensors.ts';
import { store } from './scenarios/store.ts';
import { three } from './scenarios/three.ts';
import { mapped } from './scenarios/mapped.ts';
import { wake } from './scenarios/wake.ts';
import { readOptions, USAGE, type BenchOptions } from './options.ts';

const scenarios: Readonly<Record<string, (options: BenchOptions) => Promise<object>>> = {
  chain,
  fan,
  three,
  mapped,
  'mapped-like': mappedLike,
  wake,
  idle,
  sensors,
  recover,
  replay,
  store,
};

try {
  const { scenario, options } = readOptions(process.argv.slice(2));
  const run = scenarios[scenario];
  if (run === undefined)
    throw new Error(`there is no scenario '${scenario}'; allowed are ${Object.keys(scenarios).join(', ')}\n\n${USAGE}`);
  process.stdout.write(`${JSON.stringify(await run(options))}\n`);
  process.exit(0);
} catch (error) {
  process.stderr.write(
    `${error instanceof Error ? (process.env['DEBUG'] === undefined ? error.message : error.stack) : String(error)}\n`,
  );
  process.exit(1);
}
