/** Time and timers, so that a test can own them. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Calls back once, at or after the time; the answer cancels it. */
  at(time: number, callback: () => void): () => void;
}

export interface Ids {
  uuid(): string;
}
