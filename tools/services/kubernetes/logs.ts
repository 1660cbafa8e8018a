import { EventEmitter } from 'node:events';

export interface StoredLine {
  readonly at: number;
  readonly text: string;
}

/** What the containers of pods have written, by uid. */
export class PodLogs {
  readonly written = new EventEmitter<{ line: [uid: string]; closed: [uid: string] }>().setMaxListeners(0);
  readonly #lines = new Map<string, StoredLine[]>();
  readonly #closed = new Set<string>();

  add(uid: string, text: string, at = Date.now()): void {
    const lines = this.#lines.get(uid);
    if (lines === undefined) this.#lines.set(uid, [{ at, text }]);
    else lines.push({ at, text });
    this.written.emit('line', uid);
  }

  /** Its container has ended: those who follow are done. */
  close(uid: string): void {
    this.#closed.add(uid);
    this.written.emit('closed', uid);
  }

  isClosed(uid: string): boolean {
    return this.#closed.has(uid);
  }

  of(uid: string): readonly StoredLine[] {
    return this.#lines.get(uid) ?? [];
  }
}
