import { createHash, randomUUID } from 'node:crypto';
import type { AssetEventRow, BlobStore, DagRunRow, SecretBox, TaskInstanceRow } from '@rondo/ports';
import { fakeClock, memoryEventStore, memoryRunKeys } from '@rondo/testing';
import { RunEraser } from './eraser.ts';
import { RunKeyring } from './keyring.ts';
import { RowOpener } from './open-rows.ts';
import { RunBlobs } from './run-blobs.ts';
import { sealedEventStore } from './sealed-store.ts';
import { keyIdOf } from './tokens.ts';

const secrets: SecretBox = {
  seal: (plain) => ({ alg: 'A256GCM', kid: 'test', box: plain }),
  open: ({ box }) => box,
};
const KEY = keyIdOf('d', 'r');

describe('rows', () => {
  async function given(type: string, data: object) {
    const ring = new RunKeyring(memoryRunKeys(), secrets);
    const below = memoryEventStore();
    const event = { id: randomUUID(), type, data: JSON.stringify(data), meta: '{"at":1}', seal: KEY };
    await sealedEventStore(below, ring).append([{ stream: 's', expected: 'any', events: [event] }]);
    for await (const [stored] of below.readStream('s'))
      return { ring, opener: new RowOpener(ring), stored: JSON.parse(stored!.data) as never };
    throw new Error('nothing was stored');
  }

  it('are opened where they are asked for, and show what is gone', async () => {
    const { ring, opener, stored } = await given('RunRequested', { conf: { name: 'Ada' }, note: 'of Ada' });
    const row = { dagId: 'd', runId: 'r', state: 'success', ...(stored as object) } as unknown as DagRunRow;
    expect(JSON.stringify(row)).not.toContain('Ada');
    expect(await opener.run(row)).toMatchObject({ conf: { name: 'Ada' }, note: 'of Ada', state: 'success' });
    await ring.delete(KEY);
    expect(await opener.run(row)).toMatchObject({ conf: { $erased: true }, note: '(erased)' });
  });

  it('stay shut where they stand in another run', async () => {
    const { opener, stored } = await given('RunRequested', { conf: { name: 'Ada' } });
    const row = { dagId: 'd', runId: 'other', ...(stored as object) } as unknown as DagRunRow;
    expect(await opener.run(row)).toBe(row);
  });

  it('are the same rows where nothing is sealed', async () => {
    const opener = new RowOpener({ find: () => Promise.reject(new Error('nobody asks for a key')) });
    const row = { dagId: 'd', runId: 'r', conf: { $sealed: 7 }, note: 'plain', error: null, reason: null } as never;
    expect(await opener.run(row)).toBe(row);
    expect(await opener.task(row)).toBe(row);
  });

  it('open a text that was made of a sealed one', async () => {
    const { ring, opener, stored } = await given('TaskSkipped', { reason: "it's Ada" });
    const { reason } = stored as { readonly reason: string };
    const row = {
      dagId: 'd',
      runId: 'r',
      error: null,
      reason: `waits for '${reason}' (Approve)`,
    } as unknown as TaskInstanceRow;
    expect((await opener.task(row)).reason).toBe("waits for 'it's Ada' (Approve)");
    await ring.delete(KEY);
    expect((await opener.task(row)).reason).toBe("waits for '(erased)' (Approve)");
  });

  it('of an asset belong to the run that updated it', async () => {
    const { opener, stored } = await given('AssetUpdated', { extra: { who: 'Ada' } });
    const row = (source: object | null) => ({ name: 'a', source, ...(stored as object) }) as unknown as AssetEventRow;
    expect((await opener.assetEvent(row({ dagId: 'd', runId: 'r' }))).extra).toEqual({ who: 'Ada' });
    expect((await opener.assetEvent(row(null))).extra).not.toEqual({ who: 'Ada' });
  });
});

describe('large values', () => {
  function blobStore(): BlobStore & { readonly bytes: Map<string, Uint8Array> } {
    const bytes = new Map<string, Uint8Array>();
    return {
      bytes,
      put: async (value) => {
        const hash = createHash('sha256').update(value).digest('hex');
        bytes.set(hash, value);
        return hash;
      },
      get: async (hash) => bytes.get(hash),
    };
  }
  const value = Buffer.from('{"name":"Ada"}');

  it('are sealed before a store gets them, and are an erased value later', async () => {
    const store = blobStore();
    const ring = new RunKeyring(memoryRunKeys(), secrets);
    await ring.need(KEY);
    const blobs = new RunBlobs(store, ring);
    const hash = await blobs.put('d', 'r', value);
    expect(Buffer.from(store.bytes.get(hash)!).includes('Ada')).toBe(false);
    expect(Buffer.from((await blobs.get(hash))!)).toEqual(value);
    await ring.delete(KEY);
    expect(Buffer.from((await blobs.get(hash))!).toString()).toBe('{"$erased":true}');
    await expect(blobs.put('d', 'r', value)).rejects.toThrow("run 'r' of DAG 'd' is erased");
  });

  it('of a run that is not sealed are stored as they are', async () => {
    const store = blobStore();
    for (const ring of [new RunKeyring(memoryRunKeys(), secrets), undefined]) {
      const hash = await new RunBlobs(store, ring).put('d', 'r', value);
      expect(Buffer.from(store.bytes.get(hash)!)).toEqual(value);
      expect(Buffer.from((await new RunBlobs(store, ring).get(hash))!)).toEqual(value);
    }
  });

  it('that are damaged are as good as erased', async () => {
    const ring = new RunKeyring(memoryRunKeys(), secrets);
    await ring.need(KEY);
    const blobs = new RunBlobs(blobStore(), ring);
    const sealed = Buffer.from(await blobs.seal('d', 'r', value));
    sealed[sealed.length - 1]! ^= 1;
    expect(Buffer.from(await blobs.open(sealed)).toString()).toBe('{"$erased":true}');
  });
});

describe('an erasure', () => {
  function given(fails: { delete?: number; logs?: number; finish?: number } = {}) {
    const keys = memoryRunKeys();
    const left = { delete: 0, logs: 0, finish: 0, ...fails };
    const did: string[] = [];
    const step = (name: keyof typeof left): void => {
      if (left[name]-- > 0) throw new Error(`${name} is away`);
      did.push(name);
    };
    const failing = {
      ...keys,
      delete: async (id: string) => (step('delete'), keys.delete(id)),
      finish: async (id: string) => (step('finish'), keys.finish(id)),
    };
    const clock = fakeClock(0);
    const problems: string[] = [];
    const eraser = new RunEraser({
      keyring: new RunKeyring(failing, secrets),
      logs: { deleteRun: async () => step('logs') },
      clock,
      onProblem: (message) => problems.push(message),
    });
    return { keys, did, clock, problems, eraser };
  }
  const run = { dagId: 'd', runId: 'r' };
  const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

  it('deletes the key first, then the logs, and notes that it is done', async () => {
    const { keys, did, eraser, problems } = given();
    await keys.create(KEY, 'key');
    await eraser.erase([run]);
    expect(did).toEqual(['delete', 'logs', 'finish']);
    expect(await keys.unfinished([KEY])).toEqual([]);
    expect(problems).toEqual([]);
  });

  it.each(['delete', 'logs', 'finish'] as const)('is tried again when %s fails', async (step) => {
    const { keys, clock, eraser, problems } = given({ [step]: 2 });
    await keys.create(KEY, 'key');
    await eraser.erase([run]);
    expect(problems).toEqual([`erasing run 'r' of DAG 'd' is not done yet: ${step} is away`]);
    for (let n = 0; n < 2; n++) {
      clock.advance(10_000);
      await settled();
    }
    expect(await keys.unfinished([KEY])).toEqual([]);
    expect(await keys.get(KEY)).toBe('erased');
  });

  it('goes on after a start wherever it was left', async () => {
    for (const done of [0, 1, 2]) {
      const { keys, did, eraser } = given();
      await keys.create(KEY, 'key');
      if (done > 0) await keys.delete(KEY);
      if (done > 1) await keys.finish(KEY);
      await eraser.resume([run]);
      expect(did).toEqual(done > 1 ? [] : ['delete', 'logs', 'finish']);
      expect(await keys.get(KEY)).toBe('erased');
    }
  });
});
