import { createHash, sign, verify, type KeyObject } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

/**
 * What stands in the place of events that were archived: their hashes, so that the chains of their streams and the signed heads
 * still hold (I13).
 */
const SCHEMA = `
create table if not exists archived(
  position integer primary key, stream integer not null, revision integer not null,
  hash text not null, prev text not null, follows integer not null
) strict;
create index if not exists archived_of_stream on archived(stream, revision);
`;

export function makeArchivedTable(db: DatabaseSync): void {
  db.exec(SCHEMA);
}

export function hasArchivedTable(db: DatabaseSync): boolean {
  return db.prepare("select 1 from sqlite_master where name = 'archived'").get() !== undefined;
}

/** A stream begins at `before` from now on; `hash` is that of the event before it. */
export interface Cut {
  readonly stream: string;
  readonly before: number;
  readonly hash: string;
}

/** One line of `archives.jsonl`: a truncation that was meant. */
interface SignedCuts {
  readonly v: 1;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly archive: string;
  readonly cuts: readonly Cut[];
  /** Ed25519 over the other fields (base64url). */
  readonly sig: string;
}

const signedText = ({ v, at, archive, cuts }: Omit<SignedCuts, 'sig'>): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([v, at, archive, cuts.map(({ stream, before, hash }) => [stream, before, hash])]))
    .digest();

/** Durable when it returns: the line comes before the truncation that it allows. */
export function appendCuts(file: string, cuts: readonly Cut[], archive: string, at: number, key: KeyObject): void {
  const unsigned = { v: 1, at, archive, cuts } as const;
  const line: SignedCuts = { ...unsigned, sig: sign(null, signedText(unsigned), key).toString('base64url') };
  const fd = openSync(file, 'a', 0o600);
  try {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The cuts that were signed with this key. What is no line, or not signed, allows nothing. */
export function signedCuts(file: string, key: KeyObject | undefined): readonly Cut[] {
  if (key === undefined || !existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((text) => {
      try {
        const line = JSON.parse(text) as SignedCuts;
        return verify(null, signedText(line), key, Buffer.from(line.sig, 'base64url')) ? line.cuts : [];
      } catch {
        return [];
      }
    });
}

/** Tells whether an archived event is one that a signed cut allows to be away. */
export class AllowedCuts {
  readonly #before = new Map<string, number>();
  readonly #hashes = new Map<string, string>();

  constructor(cuts: readonly Cut[]) {
    for (const { stream, before, hash } of cuts) {
      this.#before.set(stream, Math.max(before, this.#before.get(stream) ?? 0));
      this.#hashes.set(`${before - 1} ${stream}`, hash);
    }
  }

  allows(stream: string, revision: number, hash: string): boolean {
    if (revision >= (this.#before.get(stream) ?? 0)) return false;
    return (this.#hashes.get(`${revision} ${stream}`) ?? hash) === hash;
  }
}
