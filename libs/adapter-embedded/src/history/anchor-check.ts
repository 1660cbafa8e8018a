import type { Hash, KeyObject } from 'node:crypto';
import type { HistoryFault } from '@rondo/ports';
import { isSigned, segmentHash, type AnchorFile, type SignedAnchor } from './anchors.ts';

export interface AnchorFindings {
  report(fault: HistoryFault): void;
  /** Whether something was found after one position and up to another. */
  hasFaultWithin(after: number, upTo: number): boolean;
}

/** Compares the history, as it streams by, with the heads that were signed. */
export class AnchorCheck {
  readonly #anchors: readonly SignedAnchor[];
  readonly #findings: AnchorFindings;
  #next = 0;
  #segment: Hash | undefined;
  signedHeads = 0;

  constructor({ anchors, badLines }: AnchorFile, key: KeyObject | undefined, findings: AnchorFindings) {
    this.#findings = findings;
    for (const line of badLines)
      findings.report({
        kind: 'unreadable',
        stream: '',
        revision: -1,
        position: 0,
        message: `line ${line} of the signed heads is none`,
      });
    const signed = anchors.filter((anchor) => this.#isSigned(anchor, key));
    this.signedHeads = signed.length;
    this.#anchors = this.#chained(signed);
  }

  #isSigned(anchor: SignedAnchor, key: KeyObject | undefined): boolean {
    if (key !== undefined && isSigned(anchor, key)) return true;
    const why = key === undefined ? 'there is no public key to check it with' : 'the signature does not fit';
    this.#findings.report(
      faultAt(
        'bad-signature',
        anchor,
        `the signed head of position ${anchor.position} is not signed by this folder's key: ${why}`,
      ),
    );
    return false;
  }

  /** The heads that follow each other. One that another does not build on was cut off, or the one between was removed. */
  #chained(anchors: readonly SignedAnchor[]): SignedAnchor[] {
    const chain: SignedAnchor[] = [];
    for (const anchor of anchors) {
      while ((chain.at(-1)?.position ?? 0) > anchor.from) {
        const cut = chain.pop()!;
        this.#findings.report(
          faultAt(
            'truncated',
            cut,
            `position ${cut.position} was signed at ${timeOf(cut)}, and the history was cut before it and went on from ${anchor.from}`,
          ),
        );
      }
      const last = chain.at(-1);
      if ((last?.position ?? 0) !== anchor.from || (last?.hash ?? '') !== anchor.prev)
        this.#findings.report(
          faultAt('missing', anchor, `a signed head before position ${anchor.position} was removed`),
        );
      chain.push(anchor);
    }
    return chain;
  }

  add(position: number, hash: string): void {
    this.#settleBefore(position);
    const anchor = this.#anchors[this.#next];
    if (anchor === undefined || position <= anchor.from) return;
    this.#segment ??= segmentHash(anchor.prev);
    this.#segment.update(hash);
    if (position === anchor.position) this.#settle(anchor);
  }

  /** Positions may be missing, the one of an anchor among them. */
  #settleBefore(position: number): void {
    for (
      let anchor = this.#anchors[this.#next];
      anchor !== undefined && anchor.position < position;
      anchor = this.#anchors[this.#next]
    )
      this.#settle(anchor);
  }

  #settle(anchor: SignedAnchor): void {
    const hash = (this.#segment ?? segmentHash(anchor.prev)).digest('base64url');
    this.#segment = undefined;
    this.#next += 1;
    if (hash === anchor.hash || this.#findings.hasFaultWithin(anchor.from, anchor.position)) return;
    const where = `after position ${anchor.from} and up to ${anchor.position}`;
    this.#findings.report(
      faultAt(
        'changed',
        anchor,
        `an event ${where} is not what was signed at ${timeOf(anchor)}, though all fits together: it was changed with its marks`,
      ),
    );
  }

  /** A signed head beyond the end of the history: its tail was cut. */
  finish(head: number): void {
    const cut = this.#anchors.findLast((anchor) => anchor.position > head);
    if (cut === undefined) return;
    this.#findings.report(
      faultAt(
        'truncated',
        cut,
        `the history ends at position ${head}, and position ${cut.position} was signed at ${timeOf(cut)}: events ${head + 1} to ${cut.position} were cut off`,
      ),
    );
  }
}

function faultAt(
  kind: HistoryFault['kind'],
  { stream, revision, position }: SignedAnchor,
  message: string,
): HistoryFault {
  return { kind, stream, revision, position, message };
}

function timeOf(anchor: SignedAnchor): string {
  return new Date(anchor.at).toISOString();
}
