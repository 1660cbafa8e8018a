import type { WaitAnswer, WatchAssignment } from '@rondo/domain';

/**
 * What passes over file descriptor 3 between a child and its worker: lines of UTF-8, each one character that names the
 * frame and then JSON (which never holds a raw line break).
 */
import type { AttemptSettings } from '@rondo/sdk';

/** Worker to child. */
export const TO_CHILD = {
  bind: 'L',
  attempt: 'R',
  callback: 'K',
  abort: 'A',
  answer: 'V',
  parse: 'P',
  watch: 'W',
  unwatch: 'U',
} as const;

/**
 * Child to worker. `finished` has two characters of its own before the JSON of the report: `q` quiet, `n` not quiet yet,
 * `x` the child is ending; then `m` when marks follow on stdout and stderr, `-` when nothing can have been written there.
 */
export const FROM_CHILD = {
  ready: 'H',
  finished: 'F',
  quiet: 'Q',
  left: 'N',
  log: 'G',
  call: 'S',
  exiting: 'X',
  parsed: 'D',
  poking: 'O',
  waited: 'E',
  beat: 'B',
} as const;

/** Written to stdout and stderr after an attempt that printed, then the number of the attempt in its child and a line break. */
export const END_MARK = '\u0000\u001erondo-end ';

export interface BindFrame {
  /** The materialised bundle: absolute path. */
  readonly root: string;
  readonly file: string;
  /** Set for a child that looks after waits, and runs nothing else. */
  readonly watches?: WatchLimits;
}

export interface WatchLimits {
  /** Pokes in flight at once. */
  readonly atOnce: number;
  /** How long one may take. */
  readonly pokeMs: number;
}

/** A wait to look after. */
export interface WatchFrame {
  /** Its number in this child. */
  readonly n: number;
  /** A child has ended, or stood still, while it was poked. */
  readonly suspect: boolean;
  readonly input: WatchAssignment;
}

export interface UnwatchFrame {
  readonly ids: readonly string[];
  readonly reason: string;
}

/** Before a poke begins: whose it is, and which have ended since the last frame that said so. */
export interface PokingFrame {
  readonly n: number;
  readonly ended: readonly number[];
}

/** Every second while the loop runs. */
export type BeatFrame = Pick<PokingFrame, 'ended'>;

export interface WaitedFrame {
  readonly id: string;
  readonly answer: WaitAnswer;
  /** The wait has brought its process down, which ends now. */
  readonly crashed?: true;
}

export interface AbortFrame {
  readonly kind: 'timeout' | 'cancelled' | 'stopped';
  readonly reason: string;
}

/** Bytes travel as `{ base64 }`. */
export interface CallFrame {
  readonly n: number;
  readonly method: ServiceMethod;
  readonly args: readonly unknown[];
  /** The attempt that asks. */
  readonly id: string;
}
export type AnswerFrame =
  | { readonly n: number; readonly value?: unknown }
  | { readonly n: number; readonly error: string };

export const SERVICE_METHODS = [
  'variable',
  'connection',
  'xcom',
  'xcomList',
  'previousSuccess',
  'assetEvents',
  'putBlob',
  'getBlob',
  'seal',
  'unseal',
] as const;
export type ServiceMethod = (typeof SERVICE_METHODS)[number];

export interface LogFrame {
  readonly at: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  /** Whose line it is, in a child that looks after waits. */
  readonly id?: string;
}

export interface ExitingFrame {
  readonly code: number | string | null | undefined;
  /** Where `process.exit` was called, `file:line:column`. */
  readonly where?: string;
  /** The wait that called it. */
  readonly id?: string;
}

/** Given to a child as its one argument. */
export interface ChildConfig {
  /** Folders from where npm packages are resolved when they are not found from the bundle itself. */
  readonly moduleRoots: readonly string[];
  /** The folder that is user code's own, with `scratch` (`TMPDIR`) and `cache` in it. */
  readonly files: string;
  readonly settings: AttemptSettings;
  /** User code is kept out of this one; absent: no permissions are set. */
  readonly dataFolder?: string;
  /** Folders above the data folder, and the names under which a child sees them (see `FsView`). */
  readonly aliases: readonly (readonly [path: string, alias: string])[];
}

/** Cuts bytes into frames. Memory: the longest frame. */
export class FrameReader {
  readonly #onFrame: (frame: string) => void;
  #rest: Buffer[] = [];

  constructor(onFrame: (frame: string) => void) {
    this.#onFrame = onFrame;
  }

  /** The chunk's memory may be used again by the caller. */
  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      if (this.#rest.length === 0) {
        this.#onFrame(chunk.toString('utf8', start, end));
      } else {
        const whole = Buffer.concat([...this.#rest, chunk.subarray(start, end)]);
        this.#rest = [];
        this.#onFrame(whole.toString('utf8'));
      }
      start = end + 1;
    }
    if (start < chunk.length) this.#rest.push(Buffer.from(chunk.subarray(start)));
  }
}
