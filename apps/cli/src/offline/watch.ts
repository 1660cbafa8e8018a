import type { WaitAnswer, WatchWait } from '@rondo/domain';
import { PokeTimes, Watch } from '@rondo/sdk';
import { attemptOptions, type BodyOptions } from './execute.ts';

export interface WatchOptions extends Omit<BodyOptions, 'signal'> {
  readonly wait: WatchWait;
  /** Epoch milliseconds; the clock of a test leaps. */
  readonly since: number;
  readonly deadline: number | undefined;
  /** Aborted when the wait is over by other means. */
  readonly signal: AbortSignal;
}

/** A test pokes again after a second at the latest, and counts it as the whole interval. */
const MAX_PAUSE_MS = 1_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Looks after a wait in this process, until it is over or the signal says so. */
export async function watchHere(options: WatchOptions): Promise<WaitAnswer> {
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const { since, deadline = Infinity } = options;
  const limit = pause(Math.max(0, deadline - since), signal).then(() => TIMEOUT);
  try {
    return await look({ ...options, signal }, (watch) => Promise.race([watch.look(), limit]));
  } finally {
    over.abort();
  }
}

const TIMEOUT: WaitAnswer = { kind: 'timeout' };

async function look(
  options: WatchOptions,
  once: (watch: Watch) => Promise<WaitAnswer | undefined>,
): Promise<WaitAnswer> {
  const { wait, since, deadline, signal } = options;
  const { input: assignment, ...host } = attemptOptions(options);
  const input = { id: assignment.id, assignment, wait, since, ...(deadline === undefined ? {} : { deadline }) };
  const watch = new Watch(host, input);
  if (wait.kind === 'trigger') return (await once(watch)) ?? TIMEOUT;
  const times = new PokeTimes(input, wait, 1, since);
  for (let now = since; ;) {
    const next = times.next(now);
    await pause(Math.min(MAX_PAUSE_MS, next - now), signal);
    now = next;
    if (signal.aborted || (deadline !== undefined && now > deadline)) return TIMEOUT;
    if (watch.expiresAt !== undefined && now > watch.expiresAt)
      return watch.expired('the sensor', watch.expiresAt - since);
    const answer = await once(watch);
    if (answer !== undefined) return answer;
  }
}

/** Resolves early when the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, Math.min(ms, MAX_TIMER_MS));
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
