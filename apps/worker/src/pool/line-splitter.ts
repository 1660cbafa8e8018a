import { END_MARK } from '../child/frames.ts';

/** Longest line that is kept, in bytes; what is beyond is dropped with a notice. */
export const MAX_LINE_BYTES = 65_536;
/** Room for a mark at the end of a line of which the middle was dropped. */
const TAIL_BYTES = 64;

export interface SplitterEvents {
  /** `cutBytes`: how many bytes of the line are missing at its end. */
  onLine(text: string, cutBytes: number): void;
  /** Everything that was written before a mark has been passed on. */
  onMark(): void;
}

/** Cuts output into lines and finds the marks between attempts. Memory: one line, at most `MAX_LINE_BYTES`. */
export class LineSplitter {
  readonly #events: SplitterEvents;
  #parts: Buffer[] = [];
  #kept = 0;
  #dropped = 0;
  #tail: Buffer = Buffer.alloc(0);

  constructor(events: SplitterEvents) {
    this.#events = events;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#add(chunk.subarray(start, end));
      this.#emit(true);
      start = end + 1;
    }
    if (start < chunk.length) this.#add(chunk.subarray(start));
  }

  /** Passes on a last line without a line break. */
  end(): void {
    if (this.#kept > 0) this.#emit(false);
  }

  #add(bytes: Buffer): void {
    const room = MAX_LINE_BYTES - this.#kept;
    if (bytes.length <= room) {
      if (bytes.length > 0) this.#parts.push(bytes);
      this.#kept += bytes.length;
      return;
    }
    if (room > 0) this.#parts.push(bytes.subarray(0, room));
    this.#kept += room;
    const rest = bytes.subarray(room);
    this.#dropped += rest.length;
    this.#tail = Buffer.concat([this.#tail, rest.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
  }

  #emit(isWhole: boolean): void {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    const dropped = this.#dropped;
    const tail = dropped > 0 ? this.#tail.toString('utf8') : '';
    this.#parts = [];
    this.#kept = 0;
    this.#dropped = 0;
    this.#tail = Buffer.alloc(0);
    let text = bytes.toString('utf8');
    if (dropped > 0) {
      const mark = tail.lastIndexOf(END_MARK);
      this.#events.onLine(text, mark === -1 ? dropped : dropped - (tail.length - mark));
      if (mark !== -1) this.#events.onMark();
      return;
    }
    if (text.endsWith('\r')) text = text.slice(0, -1);
    const mark = isWhole ? text.lastIndexOf(END_MARK) : -1;
    if (mark === -1) return this.#events.onLine(text, 0);
    if (mark > 0) this.#events.onLine(text.slice(0, mark), 0);
    this.#events.onMark();
  }
}
