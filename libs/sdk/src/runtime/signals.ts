const SKIP = Symbol.for('rondo.Skip');
const FAIL_NOW = Symbol.for('rondo.FailNow');

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
