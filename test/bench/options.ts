import { parseArgs } from 'node:util';
import { availableParallelism } from 'node:os';

/** What a benchmark is told on the command line. */
export interface BenchOptions {
  readonly tasks: number | undefined;
  readonly runs: number | undefined;
  readonly dags: number | undefined;
  readonly events: number | undefined;
  readonly seconds: number | undefined;
  readonly body: Body;
  readonly workers: number;
  readonly keep: boolean;
  /** Every run is sealed. */
  readonly sealed: boolean;
  /** Over the services as processes of this machine. */
  readonly cluster: boolean;
}

export type Body =
  | { readonly kind: 'noop' }
  | { readonly kind: 'fibo'; readonly n: number }
  | { readonly kind: 'bash' };

export const USAGE = `Usage: npm run bench -- SCENARIO [options]

Prints one JSON object.

  chain         one run of N tasks in a chain                      --tasks 40
  fan           one run: 1 task, then N, then 1                    --tasks 1000
  three         runs of 3 steps: all at once, then one at a time   --runs 2000
  mapped        one task mapped N times, and 100 x 100 in groups   --tasks 100000
  mapped-like   one run of N independent tasks                     --tasks 10000
  wake          N tasks wait for events, one at a time    --tasks 10000
  idle          N DAGs on schedules, CPU and memory                --dags 1000 --seconds 20
  sensors       N waiting HTTP sensors: polls, CPU, memory       --tasks 10000 --seconds 180
  recover       start on a history of N events                     --events 1000000
  replay        rebuild the read models of N events                --events 200000
  store         appends and reads of the event store               --events 200000

  --body noop|fibo:K|bash   what a task does (default noop)
  --workers N               children that run tasks (default: one for each core)
  --cluster                 three and mapped-like over the services as processes: see npm run cluster
  --sealed                  seal every run with a key of its own
  --keep                    leave the data folder, and say where it is
`;

export function readOptions(args: readonly string[]): { readonly scenario: string; readonly options: BenchOptions } {
  const number = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      tasks: number,
      runs: number,
      dags: number,
      events: number,
      seconds: number,
      workers: number,
      body: number,
      keep: { type: 'boolean' },
      sealed: { type: 'boolean' },
      cluster: { type: 'boolean' },
    },
  });
  const count = (name: 'tasks' | 'runs' | 'dags' | 'events' | 'seconds' | 'workers'): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name} ${text}: a whole number from 1 is wanted`);
    return Number(text);
  };
  const scenario = positionals[0];
  if (scenario === undefined || positionals.length > 1) throw new Error(USAGE);
  return {
    scenario,
    options: {
      tasks: count('tasks'),
      runs: count('runs'),
      dags: count('dags'),
      events: count('events'),
      seconds: count('seconds'),
      workers: count('workers') ?? availableParallelism(),
      body: readBody(values.body ?? 'noop'),
      keep: values.keep === true,
      sealed: values.sealed === true,
      cluster: values.cluster === true,
    },
  };
}

function readBody(text: string): Body {
  if (text === 'noop' || text === 'bash') return { kind: text };
  const fibo = /^fibo:(\d{1,2})$/.exec(text);
  if (fibo !== null) return { kind: 'fibo', n: Number(fibo[1]) };
  throw new Error(`--body ${text}: allowed are noop, fibo:K with K from 0 to 99, and bash`);
}
