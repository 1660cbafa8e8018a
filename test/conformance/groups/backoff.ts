import { pokeIntervalMs, retryDelayMs, type AttemptOutcome, type PokeKey, type PokePolicy } from '@rondo/domain';
import { byPart, Inexpressible, list, number, type Case, type Fields, type Finding } from '../case.ts';
import { readDag } from '../dag.ts';
import { Play } from '../play.ts';
import { optionalInstant, stateName } from '../values.ts';

const LOGICAL_DATE = Date.UTC(2016, 0, 1);

export function backoff({ input, expected }: Case): Finding {
  if (Array.isArray(input['attempts'])) return attempts(input, expected);
  const formula = input['formula'];
  if (formula === 'retry' || formula === undefined) return retry(input, expected);
  if (formula === 'sensor_poke') return sensorPoke(input, expected);
  throw new Inexpressible(`there is no formula '${String(formula)}'`);
}

function name(value: unknown, missing: string): string {
  return typeof value === 'string' ? value : missing;
}

function retry(input: Fields, expected: unknown): Finding {
  const cap = input['max_retry_delay_s'];
  const delay =
    retryDelayMs(
      {
        retryDelayMs: number(input['retry_delay_s'], 300) * 1_000,
        retryExponentialBackoff: number(input['multiplier'] ?? input['retry_exponential_backoff'], 0),
        ...(typeof cap === 'number' ? { maxRetryDelayMs: cap * 1_000 } : {}),
      },
      {
        dagId: name(input['dag_id'], 'dag'),
        taskId: name(input['task_id'], 'task'),
        logicalDate: optionalInstant(input['logical_date'], 'logical_date') ?? LOGICAL_DATE,
        tryNumber: number(input['try_number'], 1),
      },
    ) / 1_000;
  return byPart(expected, within('delay_s', [delay]));
}

/** Parts named `x`, `x_min` and `x_max`, of one value or of several; a bound that holds is given back as it was wanted. */
function within(part: string, values: readonly number[]): Record<string, (wanted: unknown) => unknown> {
  const bounded =
    (holds: (value: number, bound: number) => boolean) =>
    (wanted: unknown): unknown => {
      const bounds = Array.isArray(wanted) ? wanted.map(Number) : [Number(wanted)];
      const fits = values.every((value, i) => holds(value, bounds[i] ?? bounds[bounds.length - 1]!));
      return fits ? wanted : values;
    };
  return {
    [part]: (wanted) => (Array.isArray(wanted) ? values : values[0]),
    [`${part}_min`]: bounded((value, bound) => value >= bound),
    [`${part}_max`]: bounded((value, bound) => value <= bound),
  };
}

function sensorPoke(input: Fields, expected: unknown): Finding {
  const maxWait = input['max_wait_s'];
  const policy: PokePolicy = {
    pokeIntervalMs: number(input['poke_interval_s'], 60) * 1_000,
    timeoutMs: number(input['timeout_s'], 604_800) * 1_000,
    exponentialBackoff: input['exponential_backoff'] === true,
    ...(typeof maxWait === 'number' ? { maxWaitMs: maxWait * 1_000 } : {}),
  };
  const key: PokeKey = {
    dagId: name(input['dag_id'], `adhoc_${name(input['owner'], 'airflow')}`),
    taskId: name(input['task_id'], 'task'),
    startedAt: optionalInstant(input['started_at'], 'started_at') ?? LOGICAL_DATE,
  };
  const counts = list(input['poke_counts'] ?? [number(input['poke_count'], 1)], 'poke_counts').map(Number);
  const elapsed = Array.isArray(input['elapsed_s'])
    ? input['elapsed_s'].map(Number)
    : counts.map(() => number(input['elapsed_s'], 0));
  const intervals = counts.map((count, i) => pokeIntervalMs(policy, key, count, elapsed[i]! * 1_000) / 1_000);
  return byPart(expected, { ...within('intervals_s', intervals), ...within('interval_s', intervals) });
}

/** A task instance through failures and clears, as the run's decider takes it. */
function attempts(input: Fields, expected: unknown): Finding {
  const task = { id: 'task', retries: number(input['retries'], 0), retry_delay_s: number(input['retry_delay_s'], 0) };
  const play = new Play(readDag({ tasks: [task] }));
  const after = list(input['attempts'], 'attempts').map((step) => {
    if (step === 'CLEAR') play.clear(['task']);
    else {
      play.wait();
      play.admit();
      play.decide();
      play.finish('task', outcomeOf(step));
    }
    const { state, tryNumber, maxTries } = play.instance('task');
    return { state: stateName(state), try_number: tryNumber, max_tries: maxTries };
  });
  return byPart(expected, {
    after_each: (wanted) =>
      after.map((got, i) => {
        const named = list(wanted, 'after_each')[i];
        const names = typeof named === 'object' && named !== null ? Object.keys(named) : ['state'];
        return Object.fromEntries(Object.entries(got).filter(([key]) => names.includes(key)));
      }),
  });
}

function outcomeOf(step: unknown): AttemptOutcome {
  if (step === 'success') return { kind: 'success' };
  if (step === 'skip') return { kind: 'skipped', reason: 'the case says so' };
  if (step !== 'fail') throw new Inexpressible(`there is no attempt '${String(step)}'`);
  return { kind: 'failed', error: { kind: 'exception', message: 'the case says so' }, retryable: true };
}
