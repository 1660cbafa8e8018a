import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
  appendFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  describeBlobStoreContract,
  describeBundleStoreContract,
  describeLogStoreContract,
  describeXComBackendContract,
} from '@rondo/testing';
import { fileBlobStore } from './blob-store.ts';
import { fileBundleStore } from './bundle-store.ts';
import { fileLogStore } from './log-store.ts';
import { pathPart } from '@rondo/contracts';

const makeFolder = (): string => mkdtempSync(join(tmpdir(), 'rondo-files-'));
const remove = (folder: string): void => {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700);
  }
  rmSync(folder, { recursive: true });
};
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describeBlobStoreContract('files', async () => {
  const folder = makeFolder();
  return {
    blobs: fileBlobStore(folder),
    damage: async (hash) => {
      const file = join(folder, hash.slice(0, 2), hash.slice(2));
      chmodSync(file, 0o600);
      writeFileSync(file, 'other');
    },
    dispose: async () => remove(folder),
  };
});

describeXComBackendContract('blob store', async () => {
  const folder = makeFolder();
  return {
    backend: fileBlobStore(folder),
    other: fileBlobStore(folder),
    unknown: '0'.repeat(64),
    dispose: async () => remove(folder),
  };
});

describeBundleStoreContract('files', async () => {
  const folder = makeFolder();
  return {
    bundles: fileBundleStore({ folder: join(folder, 'bundles'), blobs: fileBlobStore(join(folder, 'blobs')) }),
    dispose: async () => remove(folder),
  };
});

describeLogStoreContract('files', async () => {
  const folder = makeFolder();
  const logs = fileLogStore(folder);
  return {
    logs,
    dispose: async () => {
      await logs.close();
      remove(folder);
    },
  };
});

describe('files', () => {
  let folder: string;
  beforeEach(() => {
    folder = makeFolder();
  });
  afterEach(() => remove(folder));

  it('puts a damaged blob of another size right when its bytes are stored again', async () => {
    const blobs = fileBlobStore(folder);
    const hash = await blobs.put(Buffer.from('whole'));
    const file = join(folder, hash.slice(0, 2), hash.slice(2));
    chmodSync(file, 0o600);
    writeFileSync(file, 'who');
    await blobs.put(Buffer.from('whole'));
    expect(await blobs.get(hash)).toEqual(Buffer.from('whole'));
    expect(filesIn(folder)).toEqual([file]);
  });

  it('lets bare imports of a materialised bundle find the node_modules that it was given, now and after a move', async () => {
    const blobs = fileBlobStore(join(folder, 'blobs'));
    const options = { folder: join(folder, 'bundles'), blobs };
    const [old, moved] = [join(folder, 'old'), join(folder, 'moved')];
    for (const each of [old, moved]) mkdirSync(each);
    const hash = await fileBundleStore(options).putBundle(new Map([['dags/a.ts', Buffer.from('')]]));
    for (const nodeModules of [old, moved]) {
      const root = await fileBundleStore({ ...options, nodeModules }).materialise(hash);
      expect(realpathSync(join(root, 'node_modules'))).toBe(realpathSync(nodeModules));
      expect(statSync(root).mode & 0o222).toBe(0);
    }
  });

  it('leaves no half bundle behind when a blob is missing', async () => {
    const bundles = fileBundleStore({ folder: join(folder, 'bundles'), blobs: fileBlobStore(join(folder, 'blobs')) });
    const hash = await bundles.putBundle(
      new Map([
        ['a.ts', Buffer.from('a')],
        ['b.ts', Buffer.from('b')],
      ]),
    );
    rmSync(join(folder, 'blobs'), { recursive: true });
    await expect(bundles.materialise(hash)).rejects.toThrow(/missing/);
    expect(readdirSync(join(folder, 'bundles'))).toEqual([`${hash}.json`]);
    await bundles.putBundle(
      new Map([
        ['a.ts', Buffer.from('a')],
        ['b.ts', Buffer.from('b')],
      ]),
    );
    expect(existsSync(join(await bundles.materialise(hash), 'b.ts'))).toBe(true);
  });

  it('keeps a log inside its folder, one file a try, and none for a try that said nothing', async () => {
    const logs = fileLogStore(folder);
    const attempt = { dagId: '..', runId: '../..', taskId: 'a/b', mapIndex: [2, 5], tryNumber: 3, leg: 1 };
    await logs.append({ ...attempt, tryNumber: 4 }, []);
    await logs.append(attempt, [{ at: 1, stream: 'log', text: 'x' }]);
    expect(filesIn(folder)).toEqual([join(folder, '%2E.', '%2E.%2F..', 'a%2Fb', '2.5', '3.jsonl')]);
    expect(statSync(filesIn(folder)[0]!).mode & 0o077).toBe(0);
    await logs.close();
  });

  it('goes on after a line that a crash cut short, and shows it', async () => {
    const attempt = { dagId: 'd', runId: 'r', taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 };
    const before = fileLogStore(folder);
    await before.append(attempt, [{ at: 1, stream: 'log', text: 'whole' }]);
    await before.close();
    appendFileSync(filesIn(folder)[0]!, '{"at":2,"str');
    const after = fileLogStore(folder);
    expect((await after.read(attempt)).next).toBe(1);
    await after.append(attempt, [{ at: 3, stream: 'log', text: 'next' }]);
    expect((await after.read(attempt)).lines.map((l) => l.text)).toEqual(['whole', '{"at":2,"str', 'next']);
    await after.close();
  });

  it('reports a log that cannot be written, and goes on when it can', async () => {
    const attempt = { dagId: 'd', runId: 'r', taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 };
    const logs = fileLogStore(folder);
    writeFileSync(join(folder, 'd'), 'a file where a folder must be');
    await expect(logs.append(attempt, [{ at: 1, stream: 'log', text: 'x' }])).rejects.toThrow(/ENOTDIR|EEXIST/);
    rmSync(join(folder, 'd'));
    await logs.append(attempt, [{ at: 2, stream: 'log', text: 'y' }]);
    expect((await logs.read(attempt)).lines.map((l) => l.text)).toEqual(['y']);
    expect(dirname(filesIn(folder)[0]!)).toBe(join(folder, 'd', 'r', 't', '-'));
    expect(readFileSync(filesIn(folder)[0]!, 'utf8')).toBe('{"at":2,"stream":"log","text":"y"}\n');
    await logs.close();
  });

  it('makes parts of paths that differ as the names do', () => {
    const names = ['', '%', '.', '..', 'a', 'A', 'a/b', 'a%2Fb', 'x'.repeat(500), 'x'.repeat(501)];
    expect(new Set(names.map(pathPart)).size).toBe(names.length);
    for (const part of names.map(pathPart)) expect(part).toMatch(/^[^/\0]{1,200}$/);
  });
});
