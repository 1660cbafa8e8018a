const POKE_RETURN = Symbol.for('rondo.PokeReturn');

/** What a poke found, as the sensor's return value. */
export class PokeReturn<out T = unknown> {
  readonly [POKE_RETURN] = true;
  readonly value: T;
  readonly done: boolean;

  /** `done` false: nothing was found yet. Default true. */
  constructor(value: T, done = true) {
    this.value = value;
    this.done = done;
  }

  /** True for one of any copy of the SDK. */
  static is(value: unknown): value is PokeReturn {
    return typeof value === 'object' && value !== null && POKE_RETURN in value;
  }
}

/** What a poke answers. True: what the sensor waits for is there. */
export type Poked<T = unknown> = boolean | PokeReturn<T>;
