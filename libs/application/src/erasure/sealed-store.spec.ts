import { randomUUID } from 'node:crypto';
import type { NewEvent, RecordedEvent, SecretBox } from '@rondo/ports';
import { describeEventStoreContract, memoryEventStore, memoryRunKeys } from '@rondo/testing';
import { RunErasedError, RunKeyring } from './keyring.ts';
import { sealedEventStore } from './sealed-store.ts';
import { keyIdOf } from './tokens.ts';

const secrets: SecretBox = {
  seal: (plain, context) => ({ alg: 'A256GCM', kid: 'test', box: Buffer.from(`${context}\n${plain}`).toString('hex') }),
  open: (sealed, context) => {
    const text = Buffer.from(sealed.box, 'hex').toString();
    if (!text.startsWith(`${context}\n`)) throw new Error(`sealed for another place than ${context}`);
    return text.slice(context.length + 1);
  },
};

const keyring = () => new RunKeyring(memoryRunKeys(), secrets);

describeEventStoreContract('sealed, over memory', async () => {
  const store = memoryEventStore();
  const ring = keyring();
  return {
    store: sealedEventStore(store, ring),
    connect: async () => sealedEventStore(store, ring),
    dispose: () => store.close(),
  };
});

const KEY = keyIdOf('d', 'r');
const META = '{"actor":"user:ada","at":1}';
const event = (type: string, data: object, seal: string | null = KEY): NewEvent => ({
  id: randomUUID(),
  type,
  data: JSON.stringify(data),
  meta: META,
  ...(seal === null ? {} : { seal }),
});

function given() {
  const below = memoryEventStore();
  const keys = memoryRunKeys();
  const ring = new RunKeyring(keys, secrets);
  const store = sealedEventStore(below, ring);
  const all = async (from: typeof below | typeof store, stream = 'dagRun-d:r'): Promise<RecordedEvent[]> => {
    const events: RecordedEvent[] = [];
    for await (const page of from.readStream(stream)) events.push(...page);
    return events;
  };
  const dataOf = async (from: typeof below | typeof store): Promise<unknown[]> =>
    (await all(from)).map(({ data }) => JSON.parse(data) as unknown);
  return { below, keys, ring, store, all, dataOf };
}

const append = (store: ReturnType<typeof given>['store'], ...events: NewEvent[]) =>
  store.append([{ stream: 'dagRun-d:r', expected: 'any', events }]);

const SUCCESS = {
  taskId: 't',
  at: 7,
  xcoms: {
    return_value: { value: { name: 'Ada' } },
    'a.b': { value: 'Ada too' },
    __proto__: { value: 1 },
    large: { blob: 'f'.repeat(64), bytes: 70_000 },
    nothing: { value: null },
  },
  lengths: { '[]': 2 },
  rendered: { sql: 'where name = Ada' },
  name: 'Ada',
  assets: [
    { name: 'list', uri: 'u', extra: { of: 'Ada' } },
    { name: 'other', uri: 'v' },
  ],
};

describe('a sealed event', () => {
  it('is read as it was written, and stored with nothing in clear but what is decided by', async () => {
    const { store, below, all, dataOf } = given();
    await append(store, event('TaskSucceeded', SUCCESS));
    expect(await dataOf(store)).toEqual([SUCCESS]);
    const [stored] = await all(below);
    expect(stored!.data).not.toContain('Ada');
    expect(JSON.parse(stored!.data)).toMatchObject({
      taskId: 't',
      at: 7,
      lengths: { '[]': 2 },
      assets: [
        { name: 'list', uri: 'u' },
        { name: 'other', uri: 'v' },
      ],
      xcoms: { large: { blob: 'f'.repeat(64), bytes: 70_000 } },
    });
    expect(JSON.parse(stored!.meta)).toMatchObject({ actor: 'user:ada', at: 1, seal: '1' });
  });

  it('has texts and lists of texts in their places', async () => {
    const { store, below, dataOf } = given();
    const error = { kind: 'exception', type: 'TypeError', message: 'no Ada', stack: 'at Ada', logTail: ['Ada', '2'] };
    await append(store, event('TaskFailed', { taskId: 't', at: 1, error }));
    expect(await dataOf(below)).toMatchObject([
      {
        error: {
          kind: 'exception',
          type: 'TypeError',
          message: expect.stringMatching(/^\$sealed:/),
          stack: expect.stringMatching(/^\$sealed:/),
          logTail: [expect.stringMatching(/^\$sealed:/)],
        },
      },
    ]);
    expect(await dataOf(store)).toMatchObject([{ error }]);
  });

  it('keeps a value that looks like a sealed or an erased one', async () => {
    const { store, dataOf } = given();
    const xcoms = { a: { value: { $sealed: 'x' } }, b: { value: { $erased: true } }, c: { value: '$sealed:y' } };
    await append(store, event('TaskSucceeded', { xcoms }));
    expect(await dataOf(store)).toEqual([{ xcoms }]);
  });

  it('is left as it is without a key to be sealed with, and so is one of another type', async () => {
    const { store, below, keys, all } = given();
    await append(store, event('RunStarted', { conf: 'Ada' }, null), event('TaskQueued', { worker: 'w' }));
    const [clear, plain] = await all(below);
    expect(clear!.data).toBe('{"conf":"Ada"}');
    expect(JSON.parse(clear!.meta)).not.toHaveProperty('seal');
    expect(plain!.data).toBe('{"worker":"w"}');
    expect(keys.ids()).toEqual([KEY]);
  });

  it('is read as erased once its key is gone, by every way of reading', async () => {
    const { store, ring, dataOf } = given();
    await append(store, event('RunStarted', { conf: { name: 'Ada' }, at: 1 }), event('TaskSucceeded', SUCCESS));
    await ring.delete(KEY);
    const gone = [
      { conf: { $erased: true }, at: 1 },
      expect.objectContaining({
        xcoms: expect.objectContaining({ return_value: { value: { $erased: true } }, nothing: { value: null } }),
        name: '(erased)',
      }),
    ];
    expect(await dataOf(store)).toEqual(gone);
    const read: unknown[] = [];
    for await (const page of store.readAll(0)) read.push(...page.map(({ data }) => JSON.parse(data) as unknown));
    expect(read).toEqual(gone);
    const heard = await new Promise<readonly RecordedEvent[]>((resolve) => {
      store.subscribe({ name: 'test', after: 0, onBatch: (events) => resolve(events) });
    });
    expect(heard.map(({ data }) => JSON.parse(data) as unknown)).toEqual(gone);
  });

  it('opens at its own place only', async () => {
    const { store, below, all, ring } = given();
    await append(store, event('RunStarted', { conf: 'one' }), event('RunStarted', { conf: 'two' }));
    const [one, two] = await all(below);
    const moved = given();
    await moved.below.append([
      {
        stream: 'dagRun-d:r',
        expected: 'any',
        events: [{ ...two!, data: one!.data, meta: two!.meta.replace(/"prev":"[^"]*",/, '') }],
      },
    ]);
    const [read] = await all(sealedEventStore(moved.below, ring));
    expect(JSON.parse(read!.data)).toEqual({ conf: { $erased: true } });
  });

  it('cannot be written to a run that is erased', async () => {
    const { store, ring, below } = given();
    await append(store, event('RunStarted', { conf: 1 }));
    await ring.delete(KEY);
    await expect(append(store, event('RunNoted', { note: 'late' }))).rejects.toThrow(RunErasedError);
    expect(await below.head()).toBe(1);
  });

  it('keeps the order of calls while a key is made', async () => {
    const { store, all } = given();
    const seals = [KEY, null, KEY, keyIdOf('d', 's'), null];
    await Promise.all(seals.map((seal, n) => append(store, event('RunStarted', { conf: n }, seal))));
    expect((await all(store)).map(({ data }) => (JSON.parse(data) as { conf: number }).conf)).toEqual([0, 1, 2, 3, 4]);
  });

  it('goes on with the calls after one whose key could not be made', async () => {
    const { store, ring, below } = given();
    await ring.delete(KEY);
    const [failed, other] = await Promise.allSettled([
      append(store, event('RunStarted', { conf: 1 })),
      append(store, event('RunStarted', { conf: 2 }, null)),
    ]);
    expect([failed.status, other.status]).toEqual(['rejected', 'fulfilled']);
    expect(await below.head()).toBe(1);
  });

  it('has no snapshot in clear', async () => {
    const { store } = given();
    await store.writeSnapshot('dagRun-d:r', 3, '{"conf":"Ada"}');
    expect(await store.readSnapshot('dagRun-d:r')).toBeUndefined();
    await store.writeSnapshot('pool-p', 3, '{}');
    expect(await store.readSnapshot('pool-p')).toEqual({ revision: 3, state: '{}' });
  });
});

describe('the keys in memory', () => {
  it('are asked for once, and again after a while', async () => {
    const keys = memoryRunKeys();
    let now = 0;
    const ring = new RunKeyring(keys, secrets, () => now);
    const made = await ring.need(KEY);
    const other = new RunKeyring(keys, secrets, () => now);
    expect(await other.find(KEY)).toEqual(made);
    await ring.delete(KEY);
    expect(await ring.find(KEY)).toBe('erased');
    expect(await other.find(KEY)).toEqual(made);
    now = 31_000;
    expect(other.peek(KEY)).toBeUndefined();
    expect(await other.find(KEY)).toBe('erased');
    await expect(other.need(KEY)).rejects.toThrow(RunErasedError);
  });

  it('are not kept when they are deleted while they are asked for', async () => {
    const keys = memoryRunKeys();
    await new RunKeyring(keys, secrets).need(KEY);
    let answer: () => void = () => undefined;
    const slow = {
      ...keys,
      get: async (id: string) => {
        const found = await keys.get(id);
        await new Promise<void>((resolve) => (answer = resolve));
        return found;
      },
    };
    const ring = new RunKeyring(slow, secrets);
    const asked = ring.find(KEY);
    await new Promise((resolve) => setImmediate(resolve));
    await ring.delete(KEY);
    answer();
    expect(await asked).toBe('erased');
    expect(ring.peek(KEY)).toBeUndefined();
  });

  it('are sealed with the secret key of the platform', async () => {
    const keys = memoryRunKeys();
    const key = await new RunKeyring(keys, secrets).need(KEY);
    const stored = (await keys.get(KEY)) as { readonly key: string };
    expect(JSON.parse(stored.key)).toMatchObject({ alg: 'A256GCM', kid: 'test' });
    expect(stored.key).not.toContain(Buffer.from(key).toString('base64'));
  });
});
