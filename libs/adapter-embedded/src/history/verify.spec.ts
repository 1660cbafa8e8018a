import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { AppendRequest, HistoryFault, HistoryReport } from '@rondo/ports';
import { eventHash } from '@rondo/contracts';
import { markOf } from '../event-store/mark.ts';
import { openEmbeddedEventStore, type EmbeddedEventStore } from '../event-store/open.ts';
import { verifyHistory } from './verify.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-verify-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Six rounds of two events in each of four streams: `s0` holds positions 1, 2, 9, 10, 17, 18 …, 48 events in all. */
async function write(store: EmbeddedEventStore, rounds = 6, sealEvery = 2): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const [index, stream] of ['s0', 's1', 's2', 's3'].entries()) {
      const events = [0, 1].map((n) => ({
        id: randomUUID(),
        type: n === 0 ? 'Began' : 'Ended',
        data: `{"round":${round},"n":${n},"stream":${index}}`,
        meta: '{"actor":"test"}',
      }));
      const expected = round === 0 ? 'noStream' : round * 2 - 1;
      const chain: AppendRequest[] = [{ stream, expected, events }];
      expect((await store.append(chain))[0]?.ok).toBe(true);
    }
    if (round % sealEvery === sealEvery - 1) await store.seal();
  }
}

async function makeHistory(): Promise<void> {
  const store = await openEmbeddedEventStore({ folder, anchorMs: 3_600_000 });
  await write(store);
  await store.append([
    { stream: 'single', expected: 'noStream', events: [{ id: randomUUID(), type: 'Only', data: '{}', meta: '{}' }] },
  ]);
  await store.close();
}

function tamper(...statements: string[]): void {
  const db = new DatabaseSync(join(folder, 'events.db'));
  for (const sql of statements) db.exec(sql);
  db.close();
}

async function faults(): Promise<Pick<HistoryFault, 'kind' | 'stream' | 'revision' | 'position'>[]> {
  return (await verifyHistory(folder)).faults.map(({ kind, stream, revision, position }) => ({
    kind,
    stream,
    revision,
    position,
  }));
}

const swapColumns = (a: number, b: number, columns: readonly string[]): string[] => [
  `create temp table other as select * from events where position in (${a}, ${b})`,
  `update events set ${columns.map((c) => `${c} = (select ${c} from other where other.position = ${a} + ${b} - events.position)`).join(', ')} where position in (${a}, ${b})`,
];

const movePositions = (a: number, b: number): string[] => [
  `update events set position = -1 where position = ${a}`,
  `update events set position = ${a} where position = ${b}`,
  `update events set position = ${b} where position = -1`,
];

const moveRevisions = (a: number, b: number): string[] => [
  `create temp table places as select position, stream, revision from events where position in (${a}, ${b})`,
  `update events set stream = -position where position in (${a}, ${b})`,
  `update events set (stream, revision) = (select stream, revision from places where position = ${b}) where position = ${a}`,
  `update events set (stream, revision) = (select stream, revision from places where position = ${a}) where position = ${b}`,
];

describe('verifyHistory', () => {
  it('finds nothing wrong with a history that nobody touched, offline and while it grows', async () => {
    const store = await openEmbeddedEventStore({ folder, anchorMs: 3_600_000 });
    await write(store, 3, 1);
    const during: HistoryReport = await verifyHistory(folder);
    expect(during).toEqual({ events: 24, streams: 4, head: 24, signedHeads: 3, faults: [] });
    await store.close();
    const again = await openEmbeddedEventStore({ folder, anchorMs: 3_600_000 });
    const writing = write2(again);
    const reports = [await verifyHistory(folder), await verifyHistory(folder)];
    await writing;
    await again.close();
    expect(reports.flatMap((r) => r.faults)).toEqual([]);
    expect(await verifyHistory(folder)).toMatchObject({ events: 124, head: 124, signedHeads: 4, faults: [] });
  });

  async function write2(store: EmbeddedEventStore): Promise<void> {
    for (let i = 0; i < 100; i++)
      await store.append([
        {
          stream: 'more',
          expected: i === 0 ? 'noStream' : i - 1,
          events: [{ id: randomUUID(), type: 'E', data: '{}', meta: '{}' }],
        },
      ]);
  }

  it('says when there is no history', async () => {
    await expect(verifyHistory(join(folder, 'none'))).rejects.toThrow(/no history to verify: .*events\.db/);
  });

  describe('finds', () => {
    beforeEach(makeHistory);

    it.each([
      ['data', `update events set data = replace(data, '"round":1', '"round":7') where position = 11`],
      ['metadata', `update events set meta = replace(meta, 'test', 'rest') where position = 11`],
      [
        'the hash in the metadata',
        `update events set meta = replace(meta, substr(meta, 10, 1), 'x') where position = 11`,
      ],
      ['type', `update events set type = 'Begun' where position = 11`],
      ['id', `update events set id = 'other' where position = 11`],
      ['white space', `update events set data = data || ' ' where position = 11`],
    ])('one changed byte: %s', async (_what, sql) => {
      tamper(sql);
      expect(await faults()).toEqual([{ kind: 'changed', stream: 's1', revision: 2, position: 11 }]);
    });

    it.each([
      ['the first event', 1, 's0', 0],
      ['the last of its stream', 48, 's3', 11],
      ['the only one of its stream, and the last of all', 49, 'single', 0],
    ])('a change to %s', async (_what, position, stream, revision) => {
      tamper(`update events set data = '{"x":1}' where position = ${position}`);
      expect(await faults()).toEqual([{ kind: 'changed', stream, revision, position }]);
    });

    it('several changes, each with its place', async () => {
      tamper(`update events set data = '{}' where position in (3, 20, 41)`);
      expect((await faults()).map((f) => [f.kind, f.position])).toEqual([
        ['changed', 3],
        ['changed', 20],
        ['changed', 41],
      ]);
    });

    it('a change whose mark was made to fit, by the chain', async () => {
      forge(11);
      expect(await faults()).toEqual([{ kind: 'changed', stream: 's1', revision: 2, position: 11 }]);
    });

    it('a change of a last event whose mark was made to fit, by the signed head', async () => {
      forge(46);
      const [fault, ...more] = (await verifyHistory(folder)).faults;
      expect(more).toEqual([]);
      expect(fault).toMatchObject({ kind: 'changed', position: 48 });
      expect(fault?.message).toMatch(/after position 32 and up to 48/);
    });

    /** Changes an event and computes its mark again. */
    function forge(position: number): void {
      const db = new DatabaseSync(join(folder, 'events.db'));
      const row = db
        .prepare(
          'select s.name, revision, e.id, type, meta from events e join streams s on s.id = e.stream where position = ?',
        )
        .get(position)!;
      const hash = eventHash(
        String(row['name']),
        Number(row['revision']),
        String(row['id']),
        String(row['type']),
        '{"forged":1}',
        String(row['meta']),
      );
      db.prepare('update events set data = ?, mark = ? where position = ?').run(
        '{"forged":1}',
        markOf(hash, position),
        position,
      );
      db.close();
    }

    it.each([
      [11, 's1', 2],
      [1, 's0', 0],
      [43, 's1', 10],
      [48, 's3', 11],
      [42, 's0', 11],
    ])('a missing event at position %i', async (position, stream, revision) => {
      tamper(`delete from events where position = ${position}`);
      expect(await faults()).toEqual([{ kind: 'missing', stream, revision, position }]);
    });

    it('several missing events next to each other', async () => {
      tamper('delete from events where position in (10, 11, 12)');
      expect(await faults()).toEqual([
        { kind: 'missing', stream: 's0', revision: 3, position: 10 },
        { kind: 'missing', stream: 's1', revision: 2, position: 11 },
        { kind: 'missing', stream: 's1', revision: 3, position: 12 },
      ]);
    });

    it('a stream that was removed whole', async () => {
      tamper(
        `delete from events where stream = (select id from streams where name = 's2')`,
        `delete from streams where name = 's2'`,
      );
      const found = await faults();
      expect(found.map((f) => f.position)).toEqual([5, 6, 13, 14, 21, 22, 29, 30, 37, 38, 45, 46]);
      expect(new Set(found.map((f) => f.kind))).toEqual(new Set(['missing']));
    });

    it('a missing event whose gap was closed', async () => {
      tamper(
        'delete from events where position = 11',
        'update events set position = -position where position > 11',
        'update events set position = -position - 1 where position < 0',
      );
      const found = await faults();
      expect(found.length).toBeGreaterThan(0);
      expect(found[0]?.position).toBe(11);
    });

    const content = ['type', 'data', 'meta', 'id', 'mark'];
    it.each([
      ['whole content, next to each other', swapColumns(11, 12, content), [11, 12]],
      ['whole content, in two streams', swapColumns(11, 20, content), [11, 20]],
      ['content without marks', swapColumns(11, 20, ['type', 'data', 'meta', 'id']), [11, 20]],
      ['data alone', swapColumns(11, 20, ['data']), [11, 20]],
      ['data alone, first events', swapColumns(1, 3, ['data']), [1, 3]],
      ['positions, next to each other in a stream', movePositions(11, 12), [11, 12]],
      ['positions, in two streams', movePositions(12, 13), [12, 13]],
      ['positions, far from each other', movePositions(2, 47), [2, 47]],
      ['places in the stream', moveRevisions(11, 12), [11, 12]],
      ['places in two streams', moveRevisions(11, 20), [11, 20]],
    ])('two swapped events: %s', async (_what, sql, positions) => {
      tamper(...sql);
      const found = await faults();
      expect(found.map((f) => [f.kind, f.position])).toEqual(positions.map((position) => ['swapped', position]));
      for (const fault of found) expect(fault.stream).toMatch(/^s\d$/);
    });

    it('a tail that was cut before a signed head', async () => {
      tamper('delete from events where position > 40');
      const report = await verifyHistory(folder);
      expect(report.faults).toEqual([
        {
          kind: 'truncated',
          stream: 'single',
          revision: 0,
          position: 49,
          message: expect.stringMatching(/ends at position 40.*events 41 to 49 were cut off/),
        },
      ]);
    });

    it('a history that was emptied', async () => {
      tamper('delete from events');
      expect(await faults()).toEqual([{ kind: 'truncated', stream: 'single', revision: 0, position: 49 }]);
    });

    it('a tail that was cut, after the platform has gone on', async () => {
      tamper('delete from events where position > 40', 'delete from commits where position > 40');
      const store = await openEmbeddedEventStore({ folder });
      await store.append([
        { stream: 'later', expected: 'noStream', events: [{ id: randomUUID(), type: 'E', data: '{}', meta: '{}' }] },
      ]);
      await store.close();
      expect((await faults()).map((f) => [f.kind, f.position])).toEqual([
        ['truncated', 48],
        ['truncated', 49],
      ]);
    });

    it('a signed head that was forged, removed or garbled', async () => {
      const file = join(folder, 'anchors.jsonl');
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
      expect(lines).toHaveLength(4);
      const rewrite = async (changed: readonly string[]): Promise<string[]> => {
        writeFileSync(file, `${changed.join('\n')}\n`);
        return (await faults()).map((f) => f.kind);
      };
      expect(await rewrite(lines.map((l, i) => (i === 1 ? l.replace('"position":32', '"position":31') : l)))).toContain(
        'bad-signature',
      );
      expect(await rewrite(lines.filter((_, i) => i !== 1))).toEqual(['missing']);
      expect(await rewrite([...lines.slice(0, 3), 'garbage', lines[3]!])).toEqual(['unreadable']);
      expect(await rewrite(lines)).toEqual([]);
    });

    it('a damaged database', async () => {
      const file = join(folder, 'events.db');
      const bytes = readFileSync(file);
      bytes.fill(0x55, 4096 * 2 + 100, 4096 * 5);
      writeFileSync(file, bytes);
      expect(
        (
          await verifyHistory(folder).catch((e: Error) => ({ faults: [{ kind: 'unreadable', message: e.message }] }))
        ).faults.map((f) => f.kind),
      ).toContain('unreadable');
    });
  });

  it('takes a last line of the signed heads that a crash cut short as not written', async () => {
    await makeHistory();
    appendFileSync(join(folder, 'anchors.jsonl'), '{"v":1,"at":17');
    expect(await faults()).toEqual([]);
    const store = await openEmbeddedEventStore({ folder });
    await store.append([
      { stream: 'later', expected: 'noStream', events: [{ id: randomUUID(), type: 'E', data: '{}', meta: '{}' }] },
    ]);
    await store.close();
    expect(await verifyHistory(folder)).toMatchObject({ signedHeads: 5, faults: [] });
  });
});
