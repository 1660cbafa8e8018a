import { createHash, sign, verify, type Hash, type KeyObject } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Position, Revision } from '@rondo/ports';

/** One line of `anchors.jsonl`: a signed head of the whole history. */
export interface Anchor {
  readonly v: 1;
  /** Epoch milliseconds. */
  readonly at: number;
  /** The position of the anchor before it; 0 for the first. */
  readonly from: Position;
  readonly position: Position;
  /** The event at `position`. */
  readonly stream: string;
  readonly revision: Revision;
  /** `hash` of the anchor before it; `''` for the first. */
  readonly prev: string;
  /** SHA-256 (base64url) over `prev` and the hashes of the events after `from` up to `position`, in order. */
  readonly hash: string;
}

export interface SignedAnchor extends Anchor {
  /** Ed25519 over the other fields (base64url). */
  readonly sig: string;
}

/** The running hash between two anchors. */
export function segmentHash(prev: string): Hash {
  return createHash('sha256').update(prev);
}

function signedText(a: Anchor): Buffer {
  return Buffer.from(JSON.stringify([a.v, a.at, a.from, a.position, a.stream, a.revision, a.prev, a.hash]));
}

export function signAnchor(anchor: Anchor, key: KeyObject): SignedAnchor {
  return { ...anchor, sig: sign(null, signedText(anchor), key).toString('base64url') };
}

export function isSigned(anchor: SignedAnchor, key: KeyObject): boolean {
  return verify(null, signedText(anchor), key, Buffer.from(anchor.sig, 'base64url'));
}

function isAnchor(value: unknown): value is SignedAnchor {
  if (typeof value !== 'object' || value === null) return false;
  const a = value as Record<string, unknown>;
  const numbers = [a['at'], a['from'], a['position'], a['revision']];
  const texts = [a['stream'], a['prev'], a['hash'], a['sig']];
  return a['v'] === 1 && numbers.every((n) => typeof n === 'number') && texts.every((t) => typeof t === 'string');
}

export interface AnchorFile {
  readonly anchors: readonly SignedAnchor[];
  /** Line numbers, from 1, that are no anchors. */
  readonly badLines: readonly number[];
  /** Bytes up to the end of the last whole line. */
  readonly wholeBytes: number;
}

/** A last line without its end is what a crash leaves: it counts as not written. */
export function readAnchors(file: string): AnchorFile {
  if (!existsSync(file)) return { anchors: [], badLines: [], wholeBytes: 0 };
  const content = readFileSync(file);
  const wholeBytes = content.lastIndexOf(0x0a) + 1;
  const anchors: SignedAnchor[] = [];
  const badLines: number[] = [];
  const lines = content.subarray(0, wholeBytes).toString('utf8').split('\n').slice(0, -1);
  for (const [index, line] of lines.entries()) {
    const anchor = parse(line);
    if (anchor === undefined) badLines.push(index + 1);
    else anchors.push(anchor);
  }
  return { anchors, badLines, wholeBytes };
}

function parse(line: string): SignedAnchor | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isAnchor(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Appends anchors, each durable when `append` returns. */
export class AnchorWriter {
  readonly #fd: number;

  constructor(file: string, wholeBytes: number) {
    this.#fd = openSync(file, 'a', 0o600);
    ftruncateSync(this.#fd, wholeBytes);
  }

  append(anchor: SignedAnchor): void {
    const line = Buffer.from(`${JSON.stringify(anchor)}\n`);
    for (let at = 0; at < line.length;) at += writeSync(this.#fd, line, at);
    fsyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
