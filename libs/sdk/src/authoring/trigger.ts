import type { Json } from '@rondo/kernel';
import type { TaskContext } from '../runtime/task-context.ts';

/**
 * What a deferred task waits for, as a program of its own: it runs beside thousands of others in one process, holds no
 * worker's slot, and must not block.
 *
 *     class JobEnd extends Trigger<{ job: string }, { rows: number }> {
 *       async run(ctx: TaskContext) {
 *         for (;;) {
 *           const job = await read(this.args.job, ctx.signal);
 *           if (job.done) return { rows: job.rows };
 *           await setTimeout(5_000, undefined, { signal: ctx.signal });
 *         }
 *       }
 *     }
 *
 * What `run` returns ends the wait. It may throw `Skip` or `FailNow`, which end the task at once, or return a `TaskEnd`. After
 * a restart it is run again from its beginning: it must bear that.
 */
export abstract class Trigger<out Args extends Json = Json, out Payload = unknown> {
  /** JSON; stored in the history, so no secrets: give the id of a connection instead. */
  readonly args: Args;

  constructor(args: Args) {
    this.args = args;
  }

  abstract run(ctx: TaskContext): Promise<Payload | TaskEnd>;
}

export type TriggerClass = new (args: never) => Trigger;

const TASK_END = Symbol.for('rondo.TaskEnd');

/** Returned by a trigger: the task succeeds with this value, although a method was to be called with it. */
export class TaskEnd<out T = unknown> {
  readonly [TASK_END] = true;
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }

  /** True for one of any copy of the SDK. */
  static is(value: unknown): value is TaskEnd {
    return typeof value === 'object' && value !== null && TASK_END in value;
  }
}
