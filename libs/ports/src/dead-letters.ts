import type { Result } from '@rondo/kernel';

/** A message that a reader of its topic could not decode, laid aside for people to look at. */
export interface DeadLetter {
  /** Its number among the dead letters: a later one has a higher number. */
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  /** Its offset in its topic. */
  readonly offset: number;
  /** As text: what is not UTF-8 is replaced. Empty for a message without a key. */
  readonly key: string;
  /** Bytes of the message's value. */
  readonly size: number;
  /** What was wrong with it, in words that hold nothing of it. */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Its message was sent again, by whom; undefined: not yet. One that cannot be decoded again becomes another letter. */
  readonly replayed: { readonly at: number; readonly by: string } | undefined;
}

export interface DeadLetterQuery {
  /** Only of this topic. */
  readonly topic?: string;
  /** Only those that were replayed, or were not. */
  readonly replayed?: boolean;
  /** From this number on. Default: the oldest that is kept. */
  readonly from?: number;
  /** At most; 1 to 1000. */
  readonly limit: number;
}

export interface DeadLetterPage {
  /** The oldest first. There may be fewer than the limit, or none, although more follow: reading is bounded. */
  readonly items: readonly DeadLetter[];
  /** Where the next page begins; undefined: this was the last. */
  readonly next: number | undefined;
}

/** Letters that cannot be replayed, by number: nothing was sent. */
export interface ReplayRefusal {
  /** There are none such, or no more. */
  readonly unknown: readonly number[];
  readonly replayed: readonly number[];
}

/** Messages of any topic that nobody could decode. Every call may throw `BusUnavailableError`. */
export interface DeadLetters {
  list(query: DeadLetterQuery): Promise<DeadLetterPage>;
  /** With the first bytes of its value, at most 4,096; they may hold secrets. */
  find(id: number): Promise<{ readonly letter: DeadLetter; readonly head: Uint8Array } | undefined>;
  /**
   * Sends the messages of these letters to their topics again, byte for byte, and marks the letters as replayed: all of them, or
   * none where one is refused. At least once: a crash in between leaves letters unmarked whose messages were sent. One message
   * that was laid aside by several readers is sent once. Answers how many were sent.
   */
  replay(ids: readonly number[], by: string): Promise<Result<number, ReplayRefusal>>;
  /** Those that are there now and were not replayed, of the topic or of all. What becomes a letter meanwhile is left. */
  replayAll(of: { readonly topic?: string }, by: string): Promise<number>;
}
