import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XComStore, type Blobs } from './store.ts';

const HEAD = 'RONDO-SEALED-1 ';
const flipped = (bytes: Uint8Array): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0xff));

/** Seals by turning every bit round. */
const sealing: Blobs = {
  put: () => Promise.reject(new Error('nothing goes to the blob store')),
  get: () => Promise.reject(new Error('nothing comes from the blob store')),
  seal: async (bytes) => Buffer.concat([Buffer.from(HEAD), flipped(bytes)]),
  unseal: async (bytes) => flipped(bytes.subarray(HEAD.length)),
};
const { seal: _seal, ...reading } = sealing;

describe('a backend of a sealed run', () => {
  const about = { dagId: 'd', runId: 'r', taskId: 't', mapIndex: '', tryNumber: 1 } as never;
  const text = 'Ada '.repeat(20_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rondo-sealed-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const stored = async (blobs: Blobs) => {
    const store = new XComStore({ backend: `folder:${folder}` }, blobs);
    const { v } = await store.write([store.encode('v', text, 't')], about);
    if (v === undefined || !('value' in v)) throw new Error('it is not in the backend');
    return v.value;
  };
  const kept = (): string =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
      .join('');

  it('gets the sealed bytes, and whoever reads them has the value', async () => {
    const value = await stored(sealing);
    expect(kept()).toMatch(/^RONDO-SEALED-1 /);
    expect(kept()).not.toContain('Ada');
    expect(await new XComStore({ backend: `folder:${folder}` }, reading).read(value)).toBe(text);
  });

  it('of another run gets them as they are', async () => {
    const value = await stored(reading);
    expect(kept()).toContain('Ada');
    expect(await new XComStore({ backend: `folder:${folder}` }, reading).read(value)).toBe(text);
  });
});
