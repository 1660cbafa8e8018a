import type { Hash, KeyObject } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Position, RecordedEvent } from '@rondo/ports';
import { AnchorWriter, readAnchors, segmentHash, signAnchor } from './anchors.ts';
import { eventHash } from '@rondo/contracts';

interface LastEvent {
  readonly position: Position;
  readonly stream: string;
  readonly revision: number;
}

/** Follows the committed events and signs the head of the history at intervals, outside the database (I13). */
export class HistorySeal {
  readonly #key: KeyObject;
  readonly #now: () => number;
  readonly #writer: AnchorWriter;
  #from: Position;
  #prev: string;
  #segment: Hash;
  #last: LastEvent | undefined;

  constructor(file: string, key: KeyObject, db: DatabaseSync, head: Position, now: () => number) {
    this.#key = key;
    this.#now = now;
    const { anchors, wholeBytes } = readAnchors(file);
    this.#writer = new AnchorWriter(file, wholeBytes);
    // An anchor beyond the head stays in the file: it is the evidence that the history was cut.
    const last = anchors.findLast((anchor) => anchor.position <= head);
    this.#from = last?.position ?? 0;
    this.#prev = last?.hash ?? '';
    this.#segment = segmentHash(this.#prev);
    this.#catchUp(db);
  }

  #catchUp(db: DatabaseSync): void {
    const rows = db
      .prepare(
        `select e.position, s.name, e.revision, e.id, e.type, e.data, e.meta
         from events e cross join streams s on s.id = e.stream where e.position > ? order by e.position`,
      )
      .iterate(this.#from);
    for (const row of rows) {
      const e = row as unknown as LastEvent & { name: string; id: string; type: string; data: string; meta: string };
      this.#segment.update(eventHash(e.name, e.revision, e.id, e.type, e.data, e.meta));
      this.#last = { position: e.position, stream: e.name, revision: e.revision };
    }
  }

  committed(events: readonly RecordedEvent[], hashes: readonly string[]): void {
    if (events.length === 0) return;
    this.#segment.update(hashes.join(''));
    this.#last = events.at(-1);
  }

  /** Signs the head if it is not signed yet. */
  sign(): void {
    const last = this.#last;
    if (last === undefined) return;
    const { position, stream, revision } = last;
    const hash = this.#segment.copy().digest('base64url');
    this.#writer.append(
      signAnchor(
        { v: 1, at: this.#now(), from: this.#from, position, stream, revision, prev: this.#prev, hash },
        this.#key,
      ),
    );
    this.#from = position;
    this.#prev = hash;
    this.#segment = segmentHash(hash);
    this.#last = undefined;
  }

  close(): void {
    this.#writer.close();
  }
}
