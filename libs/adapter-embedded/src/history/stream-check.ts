import type { CheckedRow } from './rows.ts';

/** What a check keeps of an event after it has passed. */
export interface Link {
  readonly streamId: number;
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly hash: string;
  readonly prev: string | undefined;
  readonly isSuspect: boolean;
}

export interface StreamGap {
  readonly streamId: number;
  readonly stream: string;
  readonly from: number;
  readonly to: number;
  /** Positions of the events before and after. */
  readonly after: number;
  readonly before: number;
}

interface StreamState {
  last: Link | undefined;
  /** Events whose predecessor has not been seen yet. */
  readonly early: Map<number, Link>;
}

export interface StreamFindings {
  /** The content of this event is not what the next one of its stream was chained to. */
  onBrokenLink(event: Link): void;
  /** The event stands before its predecessor, or there is a second one with its revision. */
  onDisorder(event: Link): void;
  onGap(gap: StreamGap): void;
}

/** Follows each stream by its revisions, whatever order the events stand in. */
export class StreamCheck {
  readonly #streams = new Map<number, StreamState>();
  readonly #findings: StreamFindings;

  constructor(findings: StreamFindings) {
    this.#findings = findings;
  }

  get count(): number {
    return this.#streams.size;
  }

  /** The revision of the last event of a stream, -1 for none. */
  lastRevision(streamId: number): number {
    return this.#streams.get(streamId)?.last?.revision ?? -1;
  }

  nameOf(streamId: number): string | undefined {
    return this.#streams.get(streamId)?.last?.stream;
  }

  add(row: CheckedRow): void {
    let state = this.#streams.get(row.streamId);
    if (state === undefined) {
      state = { last: undefined, early: new Map() };
      this.#streams.set(row.streamId, state);
    }
    const { streamId, stream, revision, position, hash, prev, isSuspect } = row;
    const link: Link = { streamId, stream, revision, position, hash, prev, isSuspect };
    const expected = (state.last?.revision ?? -1) + 1;
    if (revision < expected || state.early.has(revision)) this.#findings.onDisorder(link);
    else if (revision > expected) state.early.set(revision, link);
    else {
      this.#accept(state, link);
      this.#absorb(state);
    }
  }

  #accept(state: StreamState, link: Link): void {
    const { last } = state;
    state.last = link;
    // A row that is suspect itself explains what is wrong on either side of it.
    if (link.isSuspect || (last?.isSuspect ?? false)) return;
    if (last !== undefined && last.position > link.position) this.#findings.onDisorder(link);
    else if (link.prev !== (last?.hash ?? '')) this.#findings.onBrokenLink(last ?? link);
  }

  #absorb(state: StreamState): void {
    for (let next = this.#nextEarly(state); next !== undefined; next = this.#nextEarly(state)) {
      state.early.delete(next.revision);
      this.#accept(state, next);
    }
  }

  #nextEarly(state: StreamState): Link | undefined {
    return state.early.size === 0 ? undefined : state.early.get((state.last?.revision ?? -1) + 1);
  }

  /** Reports what never came. */
  finish(): void {
    for (const state of this.#streams.values()) {
      while (state.early.size > 0) {
        const revision = Math.min(...state.early.keys());
        const next = state.early.get(revision)!;
        state.early.delete(revision);
        this.#findings.onGap({
          streamId: next.streamId,
          stream: next.stream,
          from: (state.last?.revision ?? -1) + 1,
          to: revision - 1,
          after: state.last?.position ?? 0,
          before: next.position,
        });
        // The link over the gap is broken by the gap.
        state.last = next;
        this.#absorb(state);
      }
    }
  }
}
