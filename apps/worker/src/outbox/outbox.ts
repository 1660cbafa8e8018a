import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedGroup } from '../pool/processes.ts';
import { bootId, isSameBoot } from './boot.ts';

/** Lines of the journal begin with one of these. */
const RECORD = {
  header: 'H',
  begun: 'B',
  finished: 'F',
  forgotten: 'A',
  child: 'P',
  gone: 'Q',
  settled: 'S',
  closed: 'C',
} as const;

interface Header {
  readonly boot: string;
  readonly token: string;
  /** False: an earlier journal was lost, and what it said was not yet reported as lost. */
  readonly intact: boolean;
}

/** What a journal says of the process that wrote it. */
interface Replayed {
  readonly header: Header | undefined;
  readonly begun: Set<string>;
  readonly finished: Map<string, string>;
  readonly groups: Map<number, RecordedGroup>;
  readonly settled: boolean;
  readonly closed: boolean;
}

export interface OutboxOptions {
  /** The worker's own folder; made when missing. */
  readonly folder: string;
  /** True: the data folder was made just now, so that a missing journal means nothing. */
  readonly isFresh: boolean;
  /** Marks the processes of this start. */
  readonly token: string;
  /** The journal is written anew when it has grown past this. Default 8 MiB. */
  readonly compactBytes?: number;
}

/**
 * The worker's only memory: which attempts were begun, and results not yet acknowledged. An append-only file, written
 * without fsync: it survives the end of the process, and a new boot id tells that the machine itself went down.
 *
 * Records are staged, and `commit` writes them in one call: before an attempt reaches a child, and before a result is sent.
 */
export class Outbox {
  readonly #path: string;
  readonly #header: Header;
  readonly #compactBytes: number;
  readonly #begun: Set<string>;
  readonly #finished: Map<string, string>;
  readonly #groups = new Map<number, RecordedGroup>();
  /** Of those that are finished: nothing of them stays in the file once they are acknowledged (I14). */
  readonly #sealed: Set<string>;
  #sheds = false;
  #fd: number;
  #size = 0;
  #floor = 0;
  #staged = '';
  #isTorn = false;

  /** Attempts that the last process had begun and that ended with it. They stay until they are acknowledged. */
  readonly interrupted: readonly string[];
  readonly isIntact: boolean;
  /** Process groups of the last process's children, and the token of what they started. */
  readonly leftBehind: { readonly groups: readonly RecordedGroup[]; readonly token: string | undefined };

  constructor({ folder, isFresh, token, compactBytes = 8 * 1_048_576 }: OutboxOptions) {
    mkdirSync(folder, { recursive: true });
    this.#path = join(folder, 'journal');
    this.#compactBytes = compactBytes;
    const boot = bootId();
    const past = replay(this.#path);
    const { header } = past;
    const sameBoot = header !== undefined && isSameBoot(header.boot, boot);
    this.isIntact = header === undefined ? isFresh : (header.intact || past.settled) && (sameBoot || past.closed);
    this.#begun = past.begun;
    this.#finished = past.finished;
    // The file does not say which of them are: so all.
    this.#sealed = new Set(past.finished.keys());
    this.interrupted = [...past.begun];
    this.leftBehind = { groups: sameBoot ? [...past.groups.values()] : [], token: header?.token };
    this.#header = { boot, token, intact: this.isIntact };
    this.#fd = this.#rewrite();
    fsyncSync(this.#fd);
  }

  /** Reports that were finished and not acknowledged, as JSON, oldest first. */
  unacknowledged(): Iterable<string> {
    return this.#finished.values();
  }

  reportOf(id: string): string | undefined {
    return this.#finished.get(id);
  }

  begin(id: string): void {
    this.#begun.add(id);
    this.#staged += `${RECORD.begun}${id}\n`;
  }

  finish(id: string, report: string, isSealed = false): void {
    this.#begun.delete(id);
    if (isSealed) this.#sealed.add(id);
    this.#finished.set(id, report);
    this.#staged += `${RECORD.finished}${id}\n${report}\n`;
  }

  /** True: of these something is to be shed: by the next `commit`, which had better come now. */
  acknowledge(ids: readonly string[]): boolean {
    for (const id of ids) {
      if (this.#finished.delete(id) || this.#begun.delete(id)) this.#staged += `${RECORD.forgotten}${id}\n`;
      if (this.#sealed.size > 0 && this.#sealed.delete(id)) this.#sheds = true;
    }
    return this.#sheds;
  }

  childStarted(group: RecordedGroup): void {
    this.#groups.set(group.pid, group);
    this.#staged += `${RECORD.child}${group.pid} ${group.start}\n`;
  }

  childEnded(pid: number): void {
    if (this.#groups.delete(pid)) this.#staged += `${RECORD.gone}${pid}\n`;
  }

  /** The gateway has had time to report as lost what a lost journal held: from now on the journal is whole again. */
  settle(): void {
    this.#staged += `${RECORD.settled}\n`;
  }

  /** Throws when the file cannot be written; what was staged stays staged. */
  commit(): void {
    if (this.#staged === '') return;
    const text = this.#isTorn ? `\n${this.#staged}` : this.#staged;
    const bytes = Buffer.from(text);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    } catch (error) {
      this.#isTorn ||= written > 0;
      throw error;
    }
    this.#isTorn = false;
    this.#staged = '';
    this.#size += bytes.length;
    if (this.#sheds || this.#size > this.#compactBytes + 2 * this.#floor) this.#compact();
  }

  /** No attempt is running any more: the journal is whole, whatever happens to the machine. */
  close(): void {
    this.#staged += `${RECORD.closed}\n`;
    this.commit();
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #compact(): void {
    const old = this.#fd;
    this.#fd = this.#rewrite();
    this.#sheds = false;
    closeSync(old);
  }

  #rewrite(): number {
    const lines = [`${RECORD.header}${JSON.stringify(this.#header)}\n`];
    for (const { pid, start } of this.#groups.values()) lines.push(`${RECORD.child}${pid} ${start}\n`);
    for (const [id, report] of this.#finished) lines.push(`${RECORD.finished}${id}\n${report}\n`);
    for (const id of this.#begun) lines.push(`${RECORD.begun}${id}\n`);
    const bytes = Buffer.from(lines.join(''));
    const next = `${this.#path}.next`;
    const fd = openSync(next, 'a');
    ftruncateSync(fd);
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    renameSync(next, this.#path);
    this.#size = bytes.length;
    this.#floor = bytes.length;
    return fd;
  }
}

function replay(path: string): Replayed {
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    lines = [];
  }
  // What follows the last line break was cut while it was written: it never took effect.
  lines.pop();
  const state = {
    header: undefined as Header | undefined,
    begun: new Set<string>(),
    finished: new Map<string, string>(),
    groups: new Map<number, RecordedGroup>(),
    settled: false,
    closed: false,
  };
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const rest = line.slice(1);
    state.closed = false;
    switch (line[0]) {
      case RECORD.header:
        state.header = parseJson<Header>(rest);
        break;
      case RECORD.begun:
        state.begun.add(rest);
        break;
      case RECORD.finished: {
        const report = lines[i + 1];
        if (report === undefined || parseJson(report) === undefined) break;
        i++;
        state.begun.delete(rest);
        state.finished.set(rest, report);
        break;
      }
      case RECORD.forgotten:
        state.begun.delete(rest);
        state.finished.delete(rest);
        break;
      case RECORD.child: {
        const [pid, start = ''] = rest.split(' ');
        state.groups.set(Number(pid), { pid: Number(pid), start });
        break;
      }
      case RECORD.gone:
        state.groups.delete(Number(rest));
        break;
      case RECORD.settled:
        state.settled = true;
        break;
      case RECORD.closed:
        state.closed = true;
        break;
      default:
        // Part of a record that a full disk cut.
        break;
    }
  }
  return state;
}

function parseJson<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
