import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeXComBackendContract } from '@rondo/testing';
import { openXComBackend } from './backend.ts';
import { folderBackend } from './folder-backend.ts';
import { XComStore, type XComSettings } from './store.ts';

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'rondo-xcoms-'));
  folders.push(folder);
  return folder;
};
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

describeXComBackendContract('folder', async () => {
  const folder = newFolder();
  return {
    backend: folderBackend(folder),
    other: folderBackend(folder),
    unknown: '0'.repeat(64),
    dispose: async () => undefined,
  };
});

describe('a folder of XComs', () => {
  it('refuses a reference that is a path', async () => {
    await expect(folderBackend(newFolder()).get('../../etc/passwd')).rejects.toThrow('is no reference of the folder');
  });

  it('leaves no half of a file under a name', async () => {
    const folder = newFolder();
    await folderBackend(folder).put(Buffer.from('x'), {} as never);
    expect(readdirSync(folder, { recursive: true }).length).toBe(2);
  });
});

describe('the backend of a configuration', () => {
  it('is none for blobs, and a folder for folder:', async () => {
    expect(await openXComBackend('blobs')).toBeUndefined();
    expect((await openXComBackend(`folder:${newFolder()}`))?.name).toBe('folder');
    await expect(openXComBackend('folder:here')).rejects.toThrow(
      "the XCom backend 'folder:here' is not allowed: folder: with an absolute path",
    );
  });

  it('that is a module is checked', async () => {
    const file = join(newFolder(), 'backend.mjs');
    writeFileSync(file, 'export default { name: "blobs" }');
    await expect(openXComBackend(file)).rejects.toThrow(
      `the default export of ${file} is no XCom backend: its name is 'blobs'`,
    );
  });
});

describe('what goes to a backend', () => {
  const about = { dagId: 'd', runId: 'r', taskId: 't', mapIndex: '', tryNumber: 1 };
  const blobs = new Map<string, Uint8Array>();
  const store = (settings: XComSettings): XComStore =>
    new XComStore(settings, {
      put: async (bytes) => {
        blobs.set(`${blobs.size}`, bytes);
        return `${blobs.size - 1}`;
      },
      get: async (hash) => blobs.get(hash),
    });
  const module = (source: string): string => {
    const file = join(newFolder(), 'backend.mjs');
    writeFileSync(file, source);
    return file;
  };

  it('is what is above the threshold, or what the backend itself wants', async () => {
    const folder = `folder:${newFolder()}`;
    const small = store({ backend: folder, thresholdBytes: 10 });
    const values = [small.encode('long', 'x'.repeat(20), 't'), small.encode('short', 'x', 't')];
    const written = await small.write(values, about);
    expect(written).toEqual({
      long: { value: { $type: 'ref', $value: { backend: 'folder', reference: expect.any(String), bytes: 22 } } },
      short: { value: 'x' },
    });
    expect(await small.read((written['long'] as { value: never }).value)).toBe('x'.repeat(20));
    const choosy = store({
      backend: module(
        `const kept = new Map();
         export default () => ({
           name: 'choosy',
           takes: ({ taskId, key }) => taskId === 't' && key === 'model',
           put: async (bytes, { key }) => { kept.set(key, bytes); return key; },
           get: async (reference) => kept.get(reference),
         });`,
      ),
    });
    const chosen = await choosy.write([choosy.encode('model', 1n, 't'), choosy.encode('other', 1, 't')], about);
    expect(chosen).toEqual({
      model: { value: { $type: 'ref', $value: { backend: 'choosy', reference: 'model', bytes: 31 } } },
      other: { value: 1 },
    });
    expect(await choosy.read((chosen['model'] as { value: never }).value)).toBe(1n);
    const large = await choosy.write([choosy.encode('other', 'x'.repeat(40_000), 't')], about);
    expect(large).toMatchObject({ other: { value: { $value: { backend: 'choosy' } } } });
  });

  it('is read by the backend that wrote it, or not at all', async () => {
    const folder = store({ backend: `folder:${newFolder()}` });
    const written = await folder.write([folder.encode('k', 'x'.repeat(40_000), 't')], about);
    const { value } = written['k'] as { value: never };
    await expect(store({}).read(value)).rejects.toThrow(
      "the value is in the XCom backend 'folder', and the platform runs with 'blobs' (--xcom-backend)",
    );
    await expect(store({ backend: `folder:${newFolder()}` }).read(value)).rejects.toThrow('any more');
  });

  it('cannot be told by a value that looks like a reference', async () => {
    const plain = store({});
    const value = { $type: 'ref', $value: { backend: 'folder', reference: 'x', bytes: 1 } };
    const written = await plain.write([plain.encode('k', value, 't')], about);
    expect(await plain.read((written['k'] as { value: never }).value)).toEqual(value);
  });

  it('is refused above the limit, with what to do', () => {
    expect(() => store({ maxBytes: 100 }).encode('report', 'x'.repeat(99), 'load')).toThrow(
      "XCom 'report' of task 'load' has 101 bytes as JSON; at most 100 are allowed (--max-xcom-bytes): write it to a file or a table and push its path or key",
    );
    expect(store({ maxBytes: 101 }).encode('report', 'x'.repeat(99), 'load').bytes).toBe(101);
  });
});
