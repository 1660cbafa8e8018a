import {
  pokeCountAfter,
  pokeIntervalMs,
  SENSOR_DEFAULTS,
  type Assignment,
  type PokeKey,
  type PokePolicy,
  type PollWait,
  type TaskError,
  type TriggerWait,
  type WaitAnswer,
  type WatchAssignment,
} from '@rondo/domain';
import { formatDuration } from '@rondo/kernel';
import { PollingTask } from '../authoring/sensor.ts';
import type { Sensing } from '../authoring/sensor-attributes.ts';
import type { Task } from '../authoring/task.ts';
import { TaskEnd, type Trigger } from '../authoring/trigger.ts';
import { openSession, taskContext, type Session } from './attempt-context.ts';
import type { AttemptHost } from './contract.ts';
import { prepare, taskOf, workOf } from './execute.ts';
import { poke } from './poke.ts';
import { Deferral, FailNow, Skip } from './signals.ts';
import { taskError } from './task-error.ts';

const MAX_REASON = 4_096;

/** A wait of a task, looked after one look at a time. What it keeps between two is little: thousands wait in a process. */
export class Watch {
  readonly #host: AttemptHost;
  readonly #input: WatchAssignment;
  readonly #task: Task | TaskError;
  /** Of a mapped task: that of this instance, known from the first look on. */
  #work: Task | undefined;
  /** With templates rendered: by the first look, for all of them. */
  #args: Readonly<Record<string, unknown>> | undefined;

  /** The host is asked for its signal at each look. */
  constructor(host: AttemptHost, input: WatchAssignment) {
    this.#host = host;
    this.#input = input;
    this.#task = taskOf(host, input.assignment.attempt.taskId);
  }

  /** One poke, or the trigger from its beginning to its end. Undefined: not yet. Never rejects. */
  async look(): Promise<WaitAnswer | undefined> {
    const { assignment, wait } = this.#input;
    const task = this.#task;
    if ('kind' in task) return { kind: 'failed', error: task, retryable: false };
    const session = openSession(withEnv(this.#host, assignment), assignment, this.#work ?? task);
    try {
      this.#work ??= await workOf(session, task);
      return wait.kind === 'poll' ? await this.#poke(session, this.#work) : await run(session, this.#work, wait);
    } catch (thrown) {
      return ended(session, thrown);
    }
  }

  /** What a limit makes of the wait: a poke, or in mode `poke` the whole wait, has taken too long. */
  expired(what: string, limitMs: number): WaitAnswer {
    const message = `${what} took longer than ${formatDuration(limitMs)}`;
    const sensing = this.#sensing;
    if (sensing?.softFail === true || sensing?.neverFail === true) return { kind: 'skipped', reason: message };
    return { kind: 'failed', error: { kind: 'timeout', message }, retryable: true };
  }

  get executionTimeoutMs(): number | undefined {
    return this.#input.assignment.executionTimeoutMs;
  }

  /** When the whole wait has taken too long; epoch milliseconds. Undefined: it is the scheduler's to say. */
  get expiresAt(): number | undefined {
    const limit = this.executionTimeoutMs;
    return limit === undefined || this.#sensing?.mode !== 'poke' ? undefined : this.#input.since + limit;
  }

  /** A poke's limit in place of the usual one, in milliseconds. */
  get pokeLimitMs(): number | undefined {
    return this.#sensing?.mode === 'reschedule' ? this.executionTimeoutMs : undefined;
  }

  get #sensing(): Sensing | undefined {
    const task = this.#work ?? this.#task;
    return PollingTask.is(task) ? task.sensing : undefined;
  }

  async #poke(session: Session, work: Task): Promise<WaitAnswer | undefined> {
    if (!PollingTask.is(work)) throw new TypeError(`${work.operator} is no sensor`);
    this.#args ??= await prepare(session, work, this.#input.assignment.overrides?.args);
    const found = await poke(work, taskContext(session), this.#args);
    return found === undefined ? undefined : met(session, found.value, false);
  }
}

/** The host is not copied: its signal changes. */
function withEnv(host: AttemptHost, { overrides }: Assignment): AttemptHost {
  if (overrides?.env === undefined) return host;
  return Object.create(host, { env: { value: { ...host.env, ...overrides.env } } }) as AttemptHost;
}

async function run(session: Session, work: Task, { trigger, args }: TriggerWait): Promise<WaitAnswer> {
  const kind = work.triggers.find(({ name }) => name === trigger);
  if (kind === undefined) throw new TypeError(`${work.operator} has no trigger '${trigger}'`);
  const value = await (new kind(args as never) as Trigger).run(taskContext(session));
  return TaskEnd.is(value) ? met(session, value.value, true) : met(session, value, false);
}

async function met(session: Session, value: unknown, ends: boolean): Promise<WaitAnswer> {
  if (value !== undefined && value !== null && session.task?.attributes.pushXcom !== false)
    session.xcoms.pushReturn(value, session.task?.attributes.multipleOutputs ?? false);
  const { return_value: payload, ...xcoms } = (await session.xcoms.store()) ?? {};
  return {
    kind: 'met',
    ...(payload === undefined ? {} : { payload }),
    ...(Object.keys(xcoms).length === 0 ? {} : { xcoms }),
    ...(ends ? { ends: true as const } : {}),
  };
}

function ended({ host }: Session, thrown: unknown): WaitAnswer {
  const mask = host.mask ?? ((text: string) => text);
  if (Skip.is(thrown)) {
    host.log('info', `skipped: ${thrown.message}`);
    return { kind: 'skipped', reason: mask(thrown.message).slice(0, MAX_REASON) };
  }
  const error = taskError(
    Deferral.is(thrown)
      ? new TypeError('a poke or a trigger calls defer(), which only the body of a task can')
      : thrown,
    mask,
  );
  host.log('error', error.stack ?? error.message);
  return { kind: 'failed', error, retryable: !FailNow.is(thrown) };
}

/** When a sensor is poked. The count of its pokes need not be kept: it follows from the time that has passed. */
export class PokeTimes {
  readonly #policy: PokePolicy;
  readonly #key: PokeKey;
  readonly #spread: number;
  #count: number;

  /** `spread`: a number from 0 to 1, the sensor's own. */
  constructor({ assignment, since, deadline }: WatchAssignment, wait: PollWait, spread: number, now: number) {
    this.#policy = {
      pokeIntervalMs: wait.everyMs,
      timeoutMs: deadline === undefined ? SENSOR_DEFAULTS.timeoutMs : Math.max(0, deadline - since),
      exponentialBackoff: wait.backoff ?? false,
      ...(wait.maxEveryMs === undefined ? {} : { maxWaitMs: wait.maxEveryMs }),
    };
    const { dagId, taskId } = assignment.attempt;
    this.#key = { dagId, taskId, startedAt: since };
    this.#spread = spread;
    this.#count = this.#policy.exponentialBackoff
      ? pokeCountAfter(this.#policy, this.#key, Math.max(0, now - since))
      : 1;
  }

  /**
   * The next poke after one that ended now. A constant interval keeps to times of its own, whatever a poke took and however
   * often the process was started. The first of them comes early, a tenth to a whole interval after the try's first poke, so
   * that sensors that began together are poked one after the other.
   */
  next(now: number): number {
    const { pokeIntervalMs: every, exponentialBackoff } = this.#policy;
    const { startedAt } = this.#key;
    if (exponentialBackoff)
      return now + pokeIntervalMs(this.#policy, this.#key, this.#count++, Math.max(0, now - startedAt));
    const first = startedAt + every * (0.1 + 0.9 * this.#spread);
    return now < first ? first : first + (Math.floor((now - first) / every) + 1) * every;
  }
}
