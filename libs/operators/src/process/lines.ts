import { StringDecoder } from 'node:string_decoder';

const LONGEST = 16_384;

/** Cuts a stream of bytes into lines; one longer than 16,384 characters comes in pieces. */
export class Lines {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    const parts = (this.#rest + this.#decoder.write(Buffer.from(chunk))).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.#emit(part.endsWith('\r') ? part.slice(0, -1) : part);
    while (this.#rest.length > LONGEST) {
      this.#onLine(this.#rest.slice(0, LONGEST));
      this.#rest = this.#rest.slice(LONGEST);
    }
  }

  end(): void {
    const last = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (last !== '') this.#emit(last);
  }

  #emit(line: string): void {
    for (let from = 0; from === 0 || from < line.length; from += LONGEST)
      this.#onLine(line.slice(from, from + LONGEST));
  }
}
