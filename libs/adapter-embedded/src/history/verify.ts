import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HistoryFault, HistoryReport } from '@rondo/ports';
import { messageOf } from '../faults.ts';
import { DataFolderError } from '../folder/errors.ts';
import { dataPaths, type DataPaths } from '../folder/paths.ts';
import { AnchorCheck } from './anchor-check.ts';
import { readAnchors } from './anchors.ts';
import { AllowedCuts, signedCuts } from './cuts.ts';
import { verificationKey } from './keys.ts';
import { areExchanged, checkRow, storedRows, type CheckedRow } from './rows.ts';
import { StreamCheck, type Link, type StreamGap } from './stream-check.ts';

/** Faults that a report lists, at most. */
const MAX_FAULTS = 1_000;
/** Suspect rows that are compared with each other, at most. */
const MAX_COMPARED = 60;
const ROWS_PER_TURN = 2_000;

/**
 * Checks the history of a data folder (I13): every event against its mark, its stream's hash chain and the signed heads. Only
 * reads, a page at a time, and may run beside the platform; what it reads is one state of the history.
 */
export async function verifyHistory(
  folder: string | Pick<DataPaths, 'events' | 'anchors' | 'archives' | 'keys'>,
): Promise<HistoryReport> {
  const paths = typeof folder === 'string' ? dataPaths(folder) : folder;
  if (!existsSync(paths.events))
    throw new DataFolderError('unusable', `there is no history to verify: ${paths.events} does not exist`);
  // The heads first: whatever is signed by now is in the state of the database that is read after it.
  const anchors = readAnchors(paths.anchors);
  const db = new DatabaseSync(paths.events, { readOnly: true, timeout: 5_000 });
  try {
    db.exec('begin');
    const key = publicKey(paths.keys);
    const verification = new Verification(db, anchors, key, new AllowedCuts(signedCuts(paths.archives, key)));
    return await verification.run();
  } finally {
    db.close();
  }
}

function publicKey(keys: string): KeyObject | undefined {
  try {
    return verificationKey(keys);
  } catch {
    return undefined;
  }
}

/** Positions without an event: the last of them is known by the row that follows it. */
interface PositionGap {
  readonly from: number;
  readonly to: number;
  readonly lastStreamId: number;
}

class Verification {
  readonly #db: DatabaseSync;
  readonly #allowed: AllowedCuts;
  readonly #head: number;
  readonly #faults: HistoryFault[] = [];
  readonly #faultPositions = new Set<number>();
  readonly #streams: StreamCheck;
  readonly #anchors: AnchorCheck;
  readonly #gaps: PositionGap[] = [];
  readonly #streamGaps: StreamGap[] = [];
  #suspects: CheckedRow[] = [];
  #events = 0;
  #last = 0;

  constructor(
    db: DatabaseSync,
    anchors: ReturnType<typeof readAnchors>,
    key: KeyObject | undefined,
    allowed: AllowedCuts,
  ) {
    this.#db = db;
    this.#allowed = allowed;
    this.#head = Number(db.prepare('select max(position) as head from events').get()?.['head'] ?? 0);
    this.#streams = new StreamCheck({
      onBrokenLink: (event) =>
        this.#report('changed', event, 'the event after it in its stream was chained to other content'),
      onDisorder: (event) => this.#report('swapped', event, 'it does not stand where its revision says'),
      onGap: (gap) => this.#streamGaps.push(gap),
    });
    this.#anchors = new AnchorCheck(anchors, key, {
      report: (fault) => this.#add(fault),
      hasFaultWithin: (after, upTo) => this.#hasFaultWithin(after, upTo),
    });
  }

  async run(): Promise<HistoryReport> {
    try {
      for (const row of storedRows(this.#db)) {
        this.#check(checkRow(row, this.#head));
        if (this.#events % ROWS_PER_TURN === 0) await nextTurn();
      }
    } catch (error) {
      const message = `the history cannot be read after position ${this.#last}: ${messageOf(error)}`;
      this.#add({ kind: 'unreadable', stream: '', revision: -1, position: this.#last, message });
    }
    this.#anchors.finish(this.#last);
    this.#judgeSuspects();
    this.#streams.finish();
    this.#judgeGaps();
    return {
      events: this.#events,
      streams: this.#streams.count,
      head: this.#last,
      signedHeads: this.#anchors.signedHeads,
      faults: this.#faults.toSorted((a, b) => a.position - b.position),
    };
  }

  #check(row: CheckedRow): void {
    if (row.position !== this.#last + 1)
      this.#gaps.push({ from: this.#last + 1, to: row.position - 1, lastStreamId: row.follows });
    this.#last = row.position;
    this.#events += 1;
    if (row.archived !== undefined && !this.#allowed.allows(row.stream, row.revision, row.hash))
      this.#report('missing', row, 'it was taken away, and no signed archive holds it');
    if (row.movedFrom !== undefined) this.#report('swapped', row, `it was written at position ${row.movedFrom}`);
    else if (row.isSuspect) this.#suspect(row);
    this.#streams.add(row);
    this.#anchors.add(row.position, row.hash);
  }

  #suspect(row: CheckedRow): void {
    if (this.#suspects.length < MAX_COMPARED) this.#suspects.push(row);
    else this.#report('changed', row, 'its content is not what was written');
  }

  /** Rows that hold parts of each other were exchanged; what is left was changed. */
  #judgeSuspects(): void {
    const suspects = this.#suspects;
    for (const row of suspects) {
      const partner = suspects.find((other) => other !== row && areExchanged(row, other));
      if (partner === undefined) this.#report('changed', row, 'its content is not what was written');
      else this.#report('swapped', row, `it holds what belongs to ${describe(partner)}`);
    }
    this.#suspects = [];
  }

  #judgeGaps(): void {
    for (const gap of this.#streamGaps) {
      for (let revision = gap.from; revision <= gap.to && this.#faults.length < MAX_FAULTS; revision++) {
        const position = this.#takePosition(gap, revision === gap.to) ?? gap.before;
        this.#add({
          kind: 'missing',
          stream: gap.stream,
          revision,
          position,
          message: `the event is missing between its neighbours at positions ${gap.after} and ${gap.before}`,
        });
      }
    }
    for (const { from, to, lastStreamId } of this.#gaps) {
      for (let position = from; position <= to && this.#faults.length < MAX_FAULTS; position++) {
        if (this.#faultPositions.has(position)) continue;
        // Only the last position of a gap is known by the row after it.
        const stream = position === to ? this.#nameOf(lastStreamId) : '';
        const revision = position === to ? this.#streams.lastRevision(lastStreamId) + 1 : -1;
        this.#add({
          kind: 'missing',
          stream,
          revision,
          position,
          message: 'the event is missing, with all that came after it in its stream',
        });
      }
    }
  }

  /**
   * The position of a missing event: the first free one between its neighbours, but for the last one of the stream's gap a
   * position that is known to be of its stream.
   */
  #takePosition({ streamId, after, before }: StreamGap, isLast: boolean): number | undefined {
    const gaps = this.#gaps.filter((gap) => gap.to > after && gap.from < before);
    const known = gaps.findLast((gap) => gap.lastStreamId === streamId && !this.#faultPositions.has(gap.to));
    if (isLast && known !== undefined) return known.to;
    for (const gap of gaps) {
      for (let position = gap.from; position <= gap.to; position++) {
        const isTaken = this.#faultPositions.has(position) || (position === gap.to && gap.lastStreamId !== streamId);
        if (!isTaken) return position;
      }
    }
    return undefined;
  }

  #nameOf(streamId: number): string {
    const row = this.#db.prepare('select name from streams where id = ?').get(streamId);
    return this.#streams.nameOf(streamId) ?? (row === undefined ? `#${streamId}` : String(row['name']));
  }

  #report(kind: HistoryFault['kind'], event: Link | CheckedRow, what: string): void {
    const { stream, revision, position } = event;
    if (this.#faultPositions.has(position)) return;
    this.#add({ kind, stream, revision, position, message: `${describe(event)}: ${what}` });
  }

  #add(fault: HistoryFault): void {
    this.#faultPositions.add(fault.position);
    if (this.#faults.length < MAX_FAULTS) this.#faults.push(fault);
  }

  #hasFaultWithin(after: number, upTo: number): boolean {
    const isWithin = (position: number): boolean => position > after && position <= upTo;
    return (
      this.#suspects.some((row) => isWithin(row.position)) ||
      this.#gaps.some((gap) => gap.to > after && gap.from <= upTo) ||
      [...this.#faultPositions].some(isWithin)
    );
  }
}

function describe({
  stream,
  revision,
  position,
}: {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
}): string {
  return `event ${revision} of '${stream}' at position ${position}`;
}
