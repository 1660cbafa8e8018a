import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptRef } from '@rondo/domain';
import { fileBlobStore } from './blob-store.ts';
import { fileBundleStore } from './bundle-store.ts';
import { fileLogStore } from './log-store.ts';

const attempt: AttemptRef = { dagId: 'd', runId: 'r', taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-shared-'));
});
afterEach(() => {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700);
  rmSync(folder, { recursive: true });
});

const urlOf = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);

/** A process of its own with stores on the folder: it says `ready`, then does its work when it is told to. */
function aProcess(name: string, work: string): { readonly ready: Promise<void>; go(): Promise<string> } {
  const code = `
    import { fileBlobStore } from ${urlOf('./blob-store.ts')};
    import { fileBundleStore } from ${urlOf('./bundle-store.ts')};
    import { fileLogStore } from ${urlOf('./log-store.ts')};
    const [folder, name, attempt] = JSON.parse(process.env.SHARED);
    const blobs = fileBlobStore(folder + '/blobs');
    const bundles = fileBundleStore({ folder: folder + '/bundles', blobs, nodeModules: folder + '/modules' });
    const logs = fileLogStore(folder + '/logs', { followPauseMs: { first: 5, most: 20 } });
    process.send('ready');
    process.once('message', async () => {
      const answer = await (async () => { ${work} })();
      await logs.close();
      process.send(JSON.stringify(answer ?? null), () => process.disconnect());
    });
  `;
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, SHARED: JSON.stringify([folder, name, attempt]) },
  });
  const message = (): Promise<string> =>
    new Promise((resolve, reject) => {
      child.once('message', (text) => resolve(String(text)));
      child.once('exit', (code) => reject(new Error(`the process ended with ${code}`)));
    });
  return {
    ready: message().then(() => undefined),
    go: () => {
      const answer = message();
      child.send('go');
      return answer;
    },
  };
}

async function together(work: string): Promise<unknown[]> {
  const processes = ['one', 'two'].map((name) => aProcess(name, work));
  await Promise.all(processes.map(({ ready }) => ready));
  const answers = await Promise.all(processes.map((each) => each.go()));
  return answers.map((text): unknown => JSON.parse(text));
}

describe('a folder that several processes share', () => {
  it('keeps every line of two writers of one log whole, those of each in their order', async () => {
    const work = `
      for (let i = 0; i < 200; i++)
        await logs.append(attempt, [{ at: i, stream: 'log', text: name + ' ' + i + ' ' + 'x'.repeat(i * 50) }, { at: i, stream: 'log', text: name }]);
    `;
    await together(work);
    const logs = fileLogStore(join(folder, 'logs'));
    const { lines } = await logs.read(attempt, 0, 10_000);
    expect(lines).toHaveLength(800);
    for (const name of ['one', 'two'])
      expect(lines.filter(({ text }) => text.startsWith(`${name} `)).map(({ at }) => at)).toEqual(
        Array.from({ length: 200 }, (_, i) => i),
      );
    await logs.close();
  });

  it('lets a follower see the lines of another process', async () => {
    const logs = fileLogStore(join(folder, 'logs'), { followPauseMs: { first: 5, most: 20 } });
    const seen: number[] = [];
    const all = Promise.withResolvers<void>();
    logs.follow(attempt, 0, (lines, next) => {
      seen.push(...lines.map(({ at }) => at));
      if (next === 40) all.resolve();
    });
    const writer = aProcess(
      'writer',
      "for (let i = 0; i < 40; i++) await logs.append(attempt, [{ at: i, stream: 'log', text: 'x' }]);",
    );
    await writer.ready;
    await writer.go();
    await all.promise;
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i));
    await logs.close();
  });

  it('stores and materialises one bundle in two processes at once', async () => {
    mkdirSync(join(folder, 'modules'));
    const answers = await together(`
      const made = [];
      for (let i = 0; i < 20; i++) {
        const files = new Map(Array.from({ length: 8 }, (_, n) => ['dags/' + n + '.ts', Buffer.from(i + ' ' + n)]));
        const hash = await bundles.putBundle(files);
        made.push(await bundles.materialise(hash));
      }
      return made;
    `);
    expect(answers[0]).toEqual(answers[1]);
    const roots = answers[0] as string[];
    expect(new Set(roots).size).toBe(20);
    for (const root of roots) expect(readdirSync(join(root, 'dags'))).toHaveLength(8);
    const left = readdirSync(join(folder, 'bundles')).filter((name) => name.startsWith('.'));
    expect(left).toEqual([]);
  });

  it('lets two processes find that the modules have moved at once', async () => {
    const [old, moved] = [join(folder, 'old'), join(folder, 'moved')];
    for (const each of [old, moved]) mkdirSync(each);
    symlinkSync(moved, join(folder, 'modules'));
    const blobs = fileBlobStore(join(folder, 'blobs'));
    const before = fileBundleStore({ folder: join(folder, 'bundles'), blobs, nodeModules: old });
    const hashes: string[] = [];
    for (let i = 0; i < 20; i++) hashes.push(await before.putBundle(new Map([['a.ts', Buffer.from(String(i))]])));
    for (const hash of hashes) await before.materialise(hash);
    const answers = await together(
      `const made = []; for (const hash of ${JSON.stringify(hashes)}) made.push(await bundles.materialise(hash)); return made;`,
    );
    expect(answers[0]).toEqual(answers[1]);
    for (const root of answers[0] as string[]) expect(readdirSync(root).toSorted()).toEqual(['a.ts', 'node_modules']);
  });

  it('keeps what is materialised on the machine, where it is told to', async () => {
    const blobs = fileBlobStore(join(folder, 'blobs'));
    const bundles = fileBundleStore({ folder: join(folder, 'bundles'), materialised: join(folder, 'local'), blobs });
    const hash = await bundles.putBundle(new Map([['a.ts', Buffer.from('')]]));
    expect(await bundles.materialise(hash)).toBe(join(folder, 'local', hash));
    expect(readdirSync(join(folder, 'bundles'))).toEqual([`${hash}.json`]);
  });
});
