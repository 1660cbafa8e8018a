import type { Schema } from '@rondo/read-models';
import { Kysely, PostgresDialect } from 'kysely';
import { RowBatch } from './row-batch.ts';
import { preparedName } from './statements.ts';

interface Asked {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A database that is the writer's, or another's, and remembers what it was asked. */
function aDatabase({ isWriter = true } = {}) {
  const asked: Asked[] = [];
  const query = async (text: string, values: readonly unknown[]) => {
    asked.push({ text, values });
    return { command: 'SELECT', rowCount: 1, rows: isWriter ? [{}] : [] };
  };
  const pool = { options: {}, connect: async () => ({ query, release: () => undefined }), end: async () => undefined };
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: pool as never }) });
  const verbs = () =>
    asked.map(
      ({ text }) => /^(begin|commit|rollback|update)|insert(?= into)|delete(?= from)/.exec(text)?.[0] ?? 'fence',
    );
  return { db, asked, verbs };
}

const checkpoint = (position: number) => [1, position, position, `e${position}`, 3];
const tag = (dag: string, name: string) => [dag, name];

describe('the rows of a batch', () => {
  it('of several tables go in one statement, which is prepared, with the fence', async () => {
    const { db, asked } = aDatabase();
    const batch = new RowBatch();
    batch.remove('pools', ['name'], ['old']);
    batch.put('dag_tags', tag('etl', 'x'));
    batch.put('checkpoint', checkpoint(7));
    await batch.execute(db, 4);
    expect(asked).toHaveLength(1);
    const [{ text, values } = { text: '', values: [] }] = asked;
    expect(values).toEqual([4, ['old'], ['etl'], ['x'], [1], [7], [7], ['e7'], [3]]);
    expect(text.match(/exists \(select from fence\)/g)).toHaveLength(3);
    expect(preparedName(text)).toMatch(/^rows\d+$/);
  });

  it('are written once each, as they were put last, by the same text however many they are', async () => {
    const { db, asked } = aDatabase();
    for (const positions of [[1], [2, 3, 4]]) {
      const batch = new RowBatch();
      for (const position of positions) {
        batch.put('checkpoint', checkpoint(position));
        batch.put('dag_tags', tag('etl', `t${position}`));
      }
      await batch.execute(db, 1);
    }
    expect(asked[0]!.text).toBe(asked[1]!.text);
    expect(asked[1]!.values).toEqual([1, [1], [4], [4], ['e4'], [3], ['etl', 'etl', 'etl'], ['t2', 't3', 't4']]);
  });

  it('go before they are put anew, in a transaction', async () => {
    const { db, verbs } = aDatabase();
    const batch = new RowBatch();
    batch.remove('dag_tags', ['dag_id'], ['etl']);
    batch.put('dag_tags', tag('etl', 'x'));
    await batch.execute(db, 1);
    expect(verbs()).toEqual(['begin', 'fence', 'delete', 'insert', 'commit']);
  });

  it('may go by one key and be put by another in the same statement', async () => {
    const { db, asked } = aDatabase();
    const batch = new RowBatch();
    batch.remove('dag_tags', ['dag_id'], ['old']);
    batch.put('dag_tags', tag('etl', 'x'));
    await batch.execute(db, 1);
    expect(asked).toHaveLength(1);
  });

  it('are put before what is said after them', async () => {
    const { db, verbs } = aDatabase();
    const batch = new RowBatch();
    batch.put('dag_tags', tag('etl', 'x'));
    batch.run(db.updateTable('pools').set({ slots: 1 }));
    batch.put('checkpoint', checkpoint(1));
    await batch.execute(db, 1);
    expect(verbs()).toEqual(['begin', 'fence', 'insert', 'update', 'insert', 'commit']);
  });

  it('that are too many for one statement go in several, all or none', async () => {
    const { db, asked, verbs } = aDatabase();
    const batch = new RowBatch();
    for (let n = 0; n < 5_001; n++) batch.put('dag_tags', tag('etl', `t${n}`));
    batch.put('checkpoint', checkpoint(1));
    await batch.execute(db, 1);
    expect(verbs()).toEqual(['begin', 'fence', 'insert', 'insert', 'commit']);
    expect(asked.slice(2, 4).map(({ values }) => values.map((each) => (each as []).length))).toEqual([
      [undefined, 5_000, 5_000, 1, 1, 1, 1, 1],
      [undefined, 1, 1],
    ]);
  });

  it.each([1, 2])('are not written by who is the writer no more (steps: %d)', async (steps) => {
    const { db, verbs } = aDatabase({ isWriter: false });
    const batch = new RowBatch();
    if (steps === 2) batch.run(db.updateTable('pools').set({ slots: 1 }));
    batch.put('checkpoint', checkpoint(1));
    await expect(batch.execute(db, 1)).rejects.toMatchObject({ name: 'FencedError' });
    expect(verbs()).toEqual(steps === 1 ? ['insert'] : ['begin', 'fence', 'rollback']);
  });
});
