import type { DatabaseSync } from 'node:sqlite';
import { eventHash, prevOf } from '@rondo/contracts';
import { hasArchivedTable } from './cuts.ts';
import { markOf, positionOfMark } from '../event-store/mark.ts';

/** A stored event with everything that a check looks at. */
export interface StoredRow {
  readonly position: number;
  readonly streamId: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly meta: string;
  readonly mark: number;
  /** The stream id of the event before it in the whole history. */
  readonly follows: number;
  /** Of an event that was archived: its hash and what it carried of the one before it; nothing else is left of it. */
  readonly archived: { readonly hash: string; readonly prev: string } | undefined;
}

export interface CheckedRow extends StoredRow {
  readonly hash: string;
  /** Undefined when the metadata does not begin as it must. */
  readonly prev: string | undefined;
  /** The content is not what its mark was made for: changed, or moved here from another place. */
  readonly isSuspect: boolean;
  /** The position that the mark was made for, where that is another one of this history. */
  readonly movedFrom: number | undefined;
}

export function* storedRows(db: DatabaseSync): Iterable<StoredRow> {
  const stubs = hasArchivedTable(db)
    ? ` union all select position, stream, revision, '', '', '', '', 0, follows, hash, prev from archived`
    : '';
  const rows = db
    .prepare(
      `select e.position, e.stream as streamId, coalesce(s.name, '#' || e.stream) as stream, e.revision, e.id, e.type, e.data, e.meta, e.mark, e.follows, e.hash, e.prev
       from (select position, stream, revision, id, type, data, meta, mark, follows, null as hash, null as prev from events${stubs}) e
       left join streams s on s.id = e.stream order by e.position`,
    )
    .iterate();
  for (const row of rows) {
    const { hash, prev, ...rest } = row;
    const archived = hash === null ? undefined : { hash, prev };
    yield { ...rest, archived } as unknown as StoredRow;
  }
}

export function checkRow(row: StoredRow, head: number): CheckedRow {
  if (row.archived !== undefined) return { ...row, ...row.archived, isSuspect: false, movedFrom: undefined };
  const hash = hashOf(row);
  const isSuspect = markOf(hash, row.position) !== row.mark;
  const original = isSuspect ? positionOfMark(hash, row.mark) : 0;
  const movedFrom = original >= 1 && original <= head ? original : undefined;
  return { ...row, hash, prev: prevOf(row.meta), isSuspect, movedFrom };
}

type Content = Pick<StoredRow, 'stream' | 'revision' | 'id' | 'type' | 'data' | 'meta'>;

function hashOf({ stream, revision, id, type, data, meta }: Content): string {
  return eventHash(stream, revision, id, type, data, meta);
}

const PARTS = ['place', 'id', 'type', 'data', 'meta'] as const;

/**
 * Whether two suspect rows hold parts of each other: a combination of their parts that fits one of their marks can only come
 * from an exchange.
 */
export function areExchanged(a: StoredRow, b: StoredRow): boolean {
  for (let choice = 1; choice < 2 ** PARTS.length; choice++) {
    const from = (part: (typeof PARTS)[number]): StoredRow => ((choice >> PARTS.indexOf(part)) & 1 ? b : a);
    const { stream, revision } = from('place');
    const hash = hashOf({
      stream,
      revision,
      id: from('id').id,
      type: from('type').type,
      data: from('data').data,
      meta: from('meta').meta,
    });
    for (const { position } of [a, b]) {
      const mark = markOf(hash, position);
      if (mark === a.mark || mark === b.mark) return true;
    }
  }
  return false;
}
