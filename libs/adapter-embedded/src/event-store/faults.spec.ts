import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FAIL_POINTS } from '@rondo/kernel';
import { StoreUnavailableError, type AppendRequest, type EventStore } from '@rondo/ports';
import { verifyHistory } from '../history/verify.ts';
import { openEmbeddedEventStore } from './open.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-faults-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const request = (stream: string, size = 10): AppendRequest => ({
  stream,
  expected: 'any',
  events: [{ id: randomUUID(), type: 'E', data: JSON.stringify('x'.repeat(size)), meta: '{}' }],
});
const eventsFile = (): string => join(folder, 'events.db');

/** Appends until it fails; answers how many were written, and the error. */
async function fill(store: EventStore): Promise<{ written: number; error: StoreUnavailableError }> {
  for (let written = 0; ; written++) {
    try {
      await store.append([request(`s${written % 3}`, 20_000), request(`t${written % 3}`, 20_000)]);
    } catch (error) {
      if (error instanceof StoreUnavailableError) return { written, error };
      throw error;
    }
  }
}

/** Runs a script on the store in a process of its own; answers what it printed and how it ended. */
async function run(script: string, limitKiB?: number): Promise<{ output: string; signal: string | null }> {
  const file = join(folder, 'script.mjs');
  const open = JSON.stringify(new URL('./open.ts', import.meta.url).href);
  const kernel = JSON.stringify(import.meta.resolve('@rondo/kernel'));
  writeFileSync(
    file,
    `import { openEmbeddedEventStore } from ${open};
     import { onFailPoint } from ${kernel};
     const folder = ${JSON.stringify(folder)};
     const event = (id, size = 10) => ({ id, type: 'E', data: JSON.stringify('x'.repeat(size)), meta: '{}' });
     ${script}`,
  );
  const command = `${limitKiB === undefined ? '' : `ulimit -f ${limitKiB} && `}exec "$0" "$1"`;
  const child = spawn('bash', ['-c', command, process.execPath, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { output, signal };
}

describe('a store that cannot write', () => {
  it('says that the file cannot grow, keeps what was written, and goes on when there is room', async () => {
    const store = await openEmbeddedEventStore({ folder, maxPages: 200 });
    const { written, error } = await fill(store);
    expect(error.message).toContain(`${eventsFile()} cannot grow: the disk or the quota is full`);
    expect(error.retryable).toBe(true);
    expect(await store.head()).toBe(written * 2);
    await expect(store.append([request('large', 500_000)])).rejects.toThrow(/cannot grow/);
    const pages: number[] = [];
    for await (const page of store.readAll(0)) pages.push(page.length);
    expect(pages.reduce((a, b) => a + b, 0)).toBe(written * 2);
    await store.close();
    const again = await openEmbeddedEventStore({ folder });
    expect((await again.append([request('s0', 500_000)]))[0]).toMatchObject({ ok: true, position: written * 2 + 1 });
    await again.close();
    expect(await verifyHistory(folder)).toMatchObject({ events: written * 2 + 1, faults: [] });
  });

  it('says that a limit on the size of files was reached, and does no damage', async () => {
    const { output, signal } = await run(
      `const store = await openEmbeddedEventStore({ folder });
       let written = 0;
       for (;;) {
         try {
           await store.append([{ stream: 's', expected: 'any', events: [event(crypto.randomUUID(), 20_000)] }]);
           written += 1;
         } catch (error) {
           const head = await store.head();
           console.log(JSON.stringify({ written, head, name: error.name, retryable: error.retryable, message: error.message }));
           break;
         }
       }
       await store.close().catch(() => undefined);`,
      1_000,
    );
    expect(signal).toBeNull();
    const said = JSON.parse(output) as { written: number; head: number; message: string };
    expect(said).toMatchObject({ name: 'StoreUnavailableError', retryable: true, head: said.written });
    expect(said.message).toMatch(/events\.db (could not be read or written|cannot grow).*nothing was written/);
    expect(said.written).toBeGreaterThan(10);
    const store = await openEmbeddedEventStore({ folder });
    expect(await store.head()).toBe(said.written);
    await store.append([request('s')]);
    await store.close();
    expect(await verifyHistory(folder)).toMatchObject({ events: said.written + 1, faults: [] });
  });

  it('says that another process has locked the file, and writes again when it is free', async () => {
    const store = await openEmbeddedEventStore({ folder, busyTimeoutMs: 20 });
    await store.append([request('a')]);
    const other = new DatabaseSync(eventsFile());
    other.exec('begin immediate');
    const failing = store.append([request('a'), request('b')]);
    await expect(failing).rejects.toThrow(StoreUnavailableError);
    await expect(failing).rejects.toThrow(`${eventsFile()} is locked by another process; nothing was written`);
    expect(await store.head()).toBe(1);
    other.exec('rollback');
    other.close();
    const [a, b] = await store.append([request('a'), request('b')]);
    expect([a, b]).toMatchObject([
      { ok: true, revision: 1, position: 2 },
      { ok: true, revision: 0, position: 3 },
    ]);
    await store.close();
    expect(await verifyHistory(folder)).toMatchObject({ events: 3, faults: [] });
  });

  it('says at the start what is wrong with the file', async () => {
    writeFileSync(eventsFile(), 'this is no database, and longer than a header '.repeat(100));
    await expect(openEmbeddedEventStore({ folder })).rejects.toThrow(/events\.db is damaged: restore it from a backup/);
  });

  it('starts without snapshots when their file is damaged', async () => {
    const store = await openEmbeddedEventStore({ folder });
    await store.writeSnapshot('a', 1, '{}');
    await store.close();
    writeFileSync(join(folder, 'snapshots.db'), 'nonsense'.repeat(1_000));
    const again = await openEmbeddedEventStore({ folder });
    expect(await again.readSnapshot('a')).toBeUndefined();
    await again.writeSnapshot('a', 2, '{}');
    expect(await again.readSnapshot('a')).toEqual({ revision: 2, state: '{}' });
    await again.close();
  });

  it('refuses calls after close, and ends subscriptions', async () => {
    const store = await openEmbeddedEventStore({ folder });
    const dropped = new Promise<Error>((resolve) =>
      store.subscribe({ name: 's', after: 0, onBatch: () => undefined, onDrop: resolve }),
    );
    const last = store.append([request('a')]);
    await store.close();
    expect((await last)[0]?.ok).toBe(true);
    expect((await dropped).message).toContain('closed');
    await expect(store.append([request('a')])).rejects.toThrow('the event store is closed');
    await expect(store.head()).rejects.toThrow('the event store is closed');
    await store.close();
  });
});

describe('a process that is killed', () => {
  const points = FAIL_POINTS.filter((point) => point.startsWith('append') || point.startsWith('commit'));

  it.each(points)('at %s has written all of an append or nothing, and repeats it safely', async (point) => {
    const ids = Array.from({ length: 3 }, () => randomUUID());
    const chain = (count: number): AppendRequest[] =>
      ['a', 'b', 'a'].slice(0, count).map((stream, i) => ({
        stream,
        expected: i === 2 ? 0 : 'noStream',
        events: [{ id: ids[i]!, type: 'E', data: '"xxxxxxxxxx"', meta: '{}' }],
      }));
    const { signal, output } = await run(
      `const chain = ${JSON.stringify(chain(3))};
       const point = ${JSON.stringify(point)};
       let hits = 0;
       onFailPoint((reached) => { if (reached === point && ++hits === 2) process.kill(process.pid, 'SIGKILL'); });
       const store = await openEmbeddedEventStore({ folder, failPoint: { point, hit: 2 } });
       await store.append([{ stream: 'first', expected: 'noStream', events: [event('${randomUUID()}')] }]);
       await store.append(chain);
       console.log('not killed');`,
    );
    expect({ signal, output }).toEqual({ signal: 'SIGKILL', output: '' });
    const store = await openEmbeddedEventStore({ folder });
    expect(await store.head()).toBe(point.endsWith(':after') ? 4 : 1);
    expect((await store.append(chain(3))).map((o) => o.ok && o.position)).toEqual([2, 3, 4]);
    await store.close();
    expect(await verifyHistory(folder)).toMatchObject({ events: 4, head: 4, faults: [] });
    expect(readFileSync(join(folder, 'anchors.jsonl'), 'utf8').trimEnd().split('\n').length).toBeGreaterThan(0);
  });
});
