import type { Readable } from 'node:stream';
import type { LogBacklog } from './attempt-log.ts';
import { LineSplitter } from './line-splitter.ts';
import type { Running } from './running.ts';

/**
 * One output stream of a child, line by line, each line given to the attempt that wrote it. An attempt that printed ends
 * with a mark in the stream, so that the next one may begin before all of it has been read.
 */
export class Capture {
  readonly #stream: Readable;
  readonly #splitter: LineSplitter;
  /** In the order in which they began. Marks come in the same order, so that a mark is always the first one's. */
  readonly #owners: Running[] = [];

  constructor(
    stream: Readable,
    backlog: LogBacklog,
    onLine: (running: Running | undefined, text: string, cutBytes: number) => void,
  ) {
    this.#stream = stream;
    this.#splitter = new LineSplitter({
      onLine: (text, cutBytes) => onLine(this.#owners[0], text, cutBytes),
      onMark: () => this.#owners.shift()?.onMark(),
    });
    stream.on('data', (chunk: Buffer) => {
      this.#splitter.push(chunk);
      backlog.hold(stream);
    });
    stream.on('error', () => undefined);
  }

  begin(running: Running): void {
    this.#owners.push(running);
  }

  /** `isMarked`: the attempt's mark has come or is still to come. */
  end(running: Running, isMarked: boolean): void {
    if (isMarked) return;
    const index = this.#owners.indexOf(running);
    if (index !== -1) this.#owners.splice(index, 1);
  }

  /** No more will come. */
  close(): void {
    this.#splitter.end();
    this.#stream.destroy();
    for (const running of this.#owners.splice(0)) running.onMark();
  }
}
