import { recover, replay } from './scenarios/history.ts';
import { idle } from './scenarios/idle.ts';
import { chain, fan, mappedLike } from './scenarios/one-run.ts';
import { sensors } from './scenarios/sensors.ts';
import { store } from './scenarios/store.ts';
import { three } from './scenarios/three.ts';
import { mappedLikeOnCluster, threeOnCluster } from './scenarios/clustered.ts';
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

const onCluster: typeof scenarios = { three: threeOnCluster, 'mapped-like': mappedLikeOnCluster };

try {
  const { scenario, options } = readOptions(process.argv.slice(2));
  const known = options.cluster ? onCluster : scenarios;
  const run = known[scenario];
  if (run === undefined)
    throw new Error(`there is no scenario '${scenario}'; allowed are ${Object.keys(known).join(', ')}\n\n${USAGE}`);
  process.stdout.write(`${JSON.stringify(await run(options))}\n`);
  process.exit(0);
} catch (error) {
  process.stderr.write(
    `${error instanceof Error ? (process.env['DEBUG'] === undefined ? error.message : error.stack) : String(error)}\n`,
  );
  process.exit(1);
}
