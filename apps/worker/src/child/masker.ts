import type { Connection } from '@rondo/domain';

const SENSITIVE = /pass|secret|token|key|credential|auth|private/i;
/** Words and small numbers that stand everywhere in a log: hiding them would hide the log, and reveals nothing. */
const COMMON = /^(?:\d{1,5}|true|false|null|none|default|localhost)$/i;

/** Replaces secrets by `***`. Knows what it was told; a text is only changed where a secret stands. */
export class Masker {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | undefined;
  #longest = 0;

  get isEmpty(): boolean {
    return this.#secrets.size === 0;
  }

  /** Length of the longest secret: what a cut may have to drop so that no part of one stays. */
  get longest(): number {
    return this.#longest;
  }

  add(values: Iterable<string>): void {
    const before = this.#secrets.size;
    for (const value of values) for (const form of formsOf(value)) this.#secrets.add(form);
    if (this.#secrets.size === before) return;
    const sorted = [...this.#secrets].sort((a, b) => b.length - a.length);
    this.#longest = sorted[0]!.length;
    this.#pattern = new RegExp(sorted.map((s) => RegExp.escape(s)).join('|'), 'g');
  }

  mask(text: string): string {
    return this.#pattern === undefined ? text : text.replace(this.#pattern, '***');
  }

  /** The same value with every text in it masked; keys stay. */
  maskDeep<T>(value: T): T {
    if (this.#pattern === undefined) return value;
    return this.#deep(value) as T;
  }

  #deep(value: unknown): unknown {
    if (typeof value === 'string') return this.mask(value);
    if (Array.isArray(value)) return value.map((item) => this.#deep(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#deep(item)]));
  }
}

/** What of a connection must not be shown: its password, and what its `extra` holds under names like `token`. */
export function secretsOfConnection(connection: Connection): string[] {
  const found: string[] = [];
  if (connection.password !== undefined) {
    found.push(connection.password);
    if (connection.login !== undefined) found.push(base64(`${connection.login}:${connection.password}`));
  }
  collect(connection.extra, false, found);
  return found.filter((value) => value.length >= 3);
}

/** A variable is a secret as a whole, and where it is JSON, each text in it. */
export function secretsOfVariable(value: string): string[] {
  const found = [value];
  if (/^\s*[[{"]/.test(value)) {
    try {
      collect(JSON.parse(value), true, found);
    } catch {
      // Not JSON after all: the whole value is what there is to hide.
    }
  }
  return found.filter((text) => text.length >= 4 && !COMMON.test(text));
}

function collect(value: unknown, sensitive: boolean, found: string[]): void {
  if (typeof value === 'string') {
    if (sensitive) found.push(value);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) collect(item, sensitive || SENSITIVE.test(key), found);
  }
}

function formsOf(value: string): string[] {
  if (value.length === 0) return [];
  const forms = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value.toWellFormed()), base64(value)];
  // Output is masked line by line, so that a secret of several lines is hidden by each of its lines.
  if (value.includes('\n')) forms.push(...value.split(/\r?\n/).filter((line) => line.length >= 8));
  return forms;
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64').replace(/=+$/, '');
}
