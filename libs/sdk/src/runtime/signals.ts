import type { AttemptOutcome } from '@rondo/domain';

const SKIP = Symbol.for('rondo.Skip');
const FAIL_NOW = Symbol.for('rondo.FailNow');
const RESCHEDULE = Symbol.for('rondo.Reschedule');
const DEFERRAL = Symbol.for('rondo.Deferral');

/** Thrown by a task that has nothing to do: its instance becomes skipped. */
export class Skip extends Error {
  override readonly name = 'Skip';
  readonly [SKIP] = true;

  constructor(reason = 'the task skipped itself') {
    super(reason);
  }

  /** True for a Skip of any copy of the SDK. */
  static is(value: unknown): value is Skip {
    return typeof value === 'object' && value !== null && SKIP in value;
  }
}

/** Thrown by a task that can never succeed: it fails without another try. */
export class FailNow extends Error {
  override readonly name = 'FailNow';
  readonly [FAIL_NOW] = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }

  static is(value: unknown): value is FailNow {
    return typeof value === 'object' && value !== null && FAIL_NOW in value;
  }
}

/** Thrown by a task that waits without a slot: what `ctx.defer` throws. */
export class Deferral extends Error {
  override readonly name = 'Deferral';
  readonly [DEFERRAL] = true;
  readonly outcome: Extract<AttemptOutcome, { kind: 'defer' }>;

  constructor(outcome: Extract<AttemptOutcome, { kind: 'defer' }>) {
    super(`the task waits (${outcome.wait.kind})`);
    this.outcome = outcome;
  }

  static is(value: unknown): value is Deferral {
    return typeof value === 'object' && value !== null && DEFERRAL in value;
  }
}

/** Thrown by a task that wants to be run again from its beginning at a time, as the same try. It holds no slot meanwhile. */
export class Reschedule extends Error {
  override readonly name = 'Reschedule';
  readonly [RESCHEDULE] = true;
  readonly until: Date;

  constructor(until: Date) {
    if (Number.isNaN(until.getTime())) throw new TypeError('Reschedule is given no date; allowed: a valid Date');
    super(`the task is run again at ${until.toISOString()}`);
    this.until = until;
  }

  static is(value: unknown): value is Reschedule {
    return typeof value === 'object' && value !== null && RESCHEDULE in value;
  }
}
