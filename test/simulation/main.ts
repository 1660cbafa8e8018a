import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { judge, type Verdict } from './judge.ts';
import { MUTANTS } from './mutants.ts';
import { Tally } from './tally.ts';

const HELP = `npm run simulate -- [options]

Runs simulated installations of Rondo, each told by its seed, in which messages and processes fail.

  --seeds N      how many seeds, from --seed on; default 100
  --seed S       the first seed; alone: this seed only, with the last lines of its trace when it fails
  --trace        the whole trace of the seed, one line for each thing that happens
  --mutant NAME  with a mistake planted; one of: ${Object.keys(MUTANTS).join(', ')}
  --first        ends at the first violation
  --jobs N       threads; default: one for each core

Exit status: 0 without violations, 1 with any, 2 for wrong options.`;

interface Task {
  readonly mutant: string | undefined;
  readonly keepsTrace: boolean;
}

/** A promise that nobody waits for and that fails ends a real process. */
const rejections: string[] = [];

async function judged(seed: number, { mutant, keepsTrace }: Task): Promise<Verdict> {
  const verdict = await judge({ seed, keepsTrace, ...(mutant === undefined ? {} : { plant: MUTANTS[mutant]! }) });
  const crashes = rejections.splice(0).map((text) => `unhandled rejection: ${text}`);
  return { ...verdict, violations: [...verdict.violations, ...crashes] };
}

function watchRejections(): void {
  process.on('unhandledRejection', (error) =>
    rejections.push(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  );
}

function optionsOf() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        trace: { type: 'boolean', default: false },
        mutant: { type: 'string' },
        first: { type: 'boolean', default: false },
        jobs: { type: 'string', default: String(availableParallelism()) },
        help: { type: 'boolean', default: false },
      },
    });
    const first = wholeNumber('seed', values.seed ?? '1');
    const count = wholeNumber('seeds', values.seeds ?? (values.seed === undefined ? '100' : '1'));
    const jobs = wholeNumber('jobs', values.jobs);
    if (values.mutant !== undefined && MUTANTS[values.mutant] === undefined)
      throw new Error(`--mutant is '${values.mutant}'; allowed: ${Object.keys(MUTANTS).join(', ')}`);
    return { ...values, first, count, jobs, stopsAtFirst: values.first };
  } catch (error) {
    console.error((error as Error).message);
    return process.exit(2);
  }
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`--${name} is '${text}'; allowed: a whole number from 1`);
  return Number(text);
}

async function main(): Promise<void> {
  const options = optionsOf();
  if (options.help) return console.log(HELP);
  const { first, count, mutant, stopsAtFirst } = options;
  const tally = new Tally(mutant);
  const isAlone = count === 1;
  const task: Task = { mutant, keepsTrace: isAlone };
  if (isAlone) {
    watchRejections();
    const verdict = await judged(first, task);
    if (options.trace) console.log(verdict.trace.join('\n'));
    else if (verdict.violations.length > 0) console.log(verdict.trace.slice(-60).join('\n'));
    tally.add(verdict);
  } else
    await inThreads(
      Math.min(options.jobs, count),
      task,
      first,
      count,
      (verdict) => !(tally.add(verdict) && stopsAtFirst),
    );
  tally.print();
  process.exitCode = tally.failed > 0 ? 1 : 0;
}

/** `onVerdict` answers whether to go on. */
async function inThreads(
  jobs: number,
  task: Task,
  first: number,
  count: number,
  onVerdict: (verdict: Verdict) => boolean,
): Promise<void> {
  let next = first;
  let goesOn = true;
  const thread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: task });
      const give = (): void => {
        if (goesOn && next < first + count) worker.postMessage(next++);
        else void worker.terminate();
      };
      worker.on('message', (verdict: Verdict) => {
        goesOn = onVerdict(verdict) && goesOn;
        give();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      give();
    });
  await Promise.all(Array.from({ length: jobs }, thread));
}

function serve(): void {
  watchRejections();
  parentPort!.on('message', (seed: number) => {
    void judged(seed, workerData as Task).then((verdict) => parentPort!.postMessage(verdict));
  });
}

if (isMainThread) await main();
else serve();
