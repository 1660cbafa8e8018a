import {
  compileFilter,
  decideApproval,
  decideWaited,
  readSensorEvent,
  type AttemptRef,
  type Decision,
  type EventWait,
  type InstanceState,
  type SensorEvent,
  type WaitFor,
} from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import { type Context, readJson } from '../context.ts';
import { UsageError } from '../exit-codes.ts';

export interface GivenOptions {
  readonly events?: string;
  readonly approve?: readonly string[];
}

/** What a run without a platform is given for tasks that wait: events that have come, and answers of people. */
export class GivenAnswers {
  readonly #events: readonly SensorEvent[];
  readonly #options: ReadonlyMap<string, readonly string[]>;

  private constructor(events: readonly SensorEvent[], options: ReadonlyMap<string, readonly string[]>) {
    this.#events = events;
    this.#options = options;
  }

  static async read(context: Context, { events, approve = [] }: GivenOptions): Promise<GivenAnswers> {
    const given = events === undefined ? [] : [await readJson(context, events, '--events')].flat();
    const options = new Map<string, readonly string[]>();
    for (const text of approve) {
      const [, taskId, option] = /^([^=]+)=(.+)$/.exec(text) ?? [];
      if (taskId === undefined || option === undefined)
        throw new UsageError(`--approve '${text}' is not allowed: TASK=OPTION`);
      options.set(taskId, [...(options.get(taskId) ?? []), option]);
    }
    return new GivenAnswers(given.map(eventOf), options);
  }

  /** Ends the wait by what was given; false when nothing was. Throws for an answer that the task refuses. */
  settle(d: Decision, attempt: AttemptRef, instance: InstanceState, wait: WaitFor): boolean {
    if (wait.kind === 'event') return this.#byEvents(d, attempt, instance.deferral?.consumed ?? 0, wait);
    if (wait.kind !== 'approval') return false;
    const { taskId, mapIndex } = attempt;
    const options = this.#options.get(taskId);
    if (options === undefined) return false;
    const done = decideApproval(d, { taskId, mapIndex, options, by: wait.assignees?.[0] ?? 'test' });
    if (!done.ok) throw new UsageError(`--approve ${taskId}=${options.join(', ')}: ${done.error.message}`);
    return true;
  }

  #byEvents(d: Decision, attempt: AttemptRef, after: number, wait: EventWait): boolean {
    const test = compileFilter(wait.filter);
    if (!test.ok) throw new UsageError(test.error);
    const hits = this.#events
      .map((event, i) => ({ event, position: i + 1 }))
      .filter(({ event, position }) => position > after && isWanted(wait, event) && test.value(event))
      .slice(0, wait.count ?? 1);
    if (hits.length < (wait.count ?? 1)) return false;
    const value = (hits.length === 1 ? hits[0]!.event : hits.map(({ event }) => event)) as Json;
    return decideWaited(d, attempt, { kind: 'met', payload: { value }, consumed: hits.at(-1)!.position });
  }
}

function eventOf(given: unknown): SensorEvent {
  const read = readSensorEvent(given);
  if (read.ok) return read.value;
  const faults = read.error.map(({ name, allowed }) => `${name}: allowed is ${allowed}`);
  throw new UsageError(`--events holds what is no event: ${faults.join('; ')}`);
}

const isWanted = (wait: EventWait, { type, source, subject }: SensorEvent): boolean =>
  type === wait.eventType &&
  (wait.source === undefined || wait.source === source) &&
  (wait.subject === undefined || wait.subject === subject);
