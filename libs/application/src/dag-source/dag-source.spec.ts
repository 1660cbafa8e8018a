import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aDefinition, aTask, countingIds, fakeClock, memoryEventStore } from '@rondo/testing';
import type { DagCommand } from '@rondo/contracts';
import type { ParseRequest, ParseResult } from '@rondo/ports';
import { DagSource } from './dag-source.ts';

/** A folder, and a worker that reads `export default 'id id …'`; files that say `slow` wait until they are let go. */
class Folder {
  readonly store = memoryEventStore();
  readonly clock = fakeClock();
  /** `publish a`, `retire a`, in order. */
  readonly said: string[] = [];
  readonly failures = new Map<string, readonly string[]>();
  readonly parsed: string[] = [];
  readonly slow: (() => void)[] = [];
  /** So many of the next commands are refused. */
  refusals = 0;
  source!: DagSource;
  root = '';

  async start(): Promise<void> {
    const blobs = new Map<string, Uint8Array>();
    const put = async (bytes: Uint8Array): Promise<string> => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      blobs.set(hash, bytes);
      return hash;
    };
    this.source = new DagSource({
      root: this.root,
      release: '1',
      session: { parse: (request) => this.parse(request) },
      store: this.store,
      blobs: { put, get: async (hash) => blobs.get(hash) },
      bundles: {
        putBundle: (files) => put(Buffer.concat([...files.values()])),
        materialise: async () => '',
        getManifest: async () => undefined,
        readFile: async () => undefined,
      },
      commands: {
        send: async ({ dagId, command }) => {
          this.said.push(`${verbOf(command)} ${dagId}`);
          if (this.refusals-- > 0) return { ok: false, code: 'unavailable', message: 'no scheduler' };
          return { ok: true, position: 1, result: {} };
        },
      },
      readModels: { dags: async () => ({ items: [], total: 0 }), settled: async () => undefined },
      clock: this.clock,
      ids: countingIds(),
      onChange: ({ file, failures }) =>
        void this.failures.set(
          file,
          failures.map((f) => f.message),
        ),
    });
    await this.source.start();
  }

  private async parse({ id, root, file }: ParseRequest): Promise<ParseResult> {
    const text = await readFile(join(root, file), 'utf8');
    this.parsed.push(file);
    if (text.includes('slow')) await new Promise<void>((resolve) => this.slow.push(resolve));
    const names = /'(.*)'/.exec(text)?.[1];
    const dags = names?.split(' ').map((dagId) => aDefinition(dagId, [aTask('a')], { file })) ?? [];
    const errors = names === undefined ? [{ file, message: 'broken' }] : [];
    return { id, file, dags, bundleFiles: [file], errors, output: [] };
  }

  write(file: string, text: string): Promise<void> {
    return writeFile(join(this.root, file), `export default ${text}`);
  }
}

const verbOf = (command: DagCommand): string => (command.type === 'publishVersion' ? 'publish' : 'retire');

let folder: Folder;
beforeEach(async () => {
  folder = new Folder();
  folder.root = await mkdtemp(join(tmpdir(), 'rondo-dag-source-'));
});
afterEach(async () => {
  await folder.source.stop();
  await rm(folder.root, { recursive: true, force: true });
});

async function seen(check: () => boolean): Promise<void> {
  while (!check()) {
    folder.clock.advance(700);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a folder of DAG files', () => {
  it('publishes, retires what a file defines no more, and what is gone', async () => {
    await folder.write('a.ts', `'one two'`);
    await folder.start();
    await folder.write('a.ts', `'two'`);
    await folder.source.look();
    await rm(join(folder.root, 'a.ts'));
    await folder.source.look();
    expect(folder.said).toEqual(['publish one', 'publish two', 'publish two', 'retire one', 'retire two']);
    expect(folder.store.events.map((e) => e.type)).toEqual(['DagFileLoaded', 'DagFileLoaded', 'DagFileRemoved']);
  });

  it('says when a DAG was not published, and tries again', async () => {
    await folder.start();
    folder.refusals = 1;
    await folder.write('a.ts', `'one'`);
    await seen(() => folder.said.length === 2);
    expect(folder.said).toEqual(['publish one', 'publish one']);
    await seen(() => folder.store.events.length === 1);
    expect(folder.store.events.map((e) => e.type)).toEqual(['DagFileLoaded']);
  });

  it('is not held up by a file that takes long', async () => {
    await folder.start();
    await folder.write('slow.ts', `'slow'`);
    await seen(() => folder.slow.length === 1);
    for (const name of ['a', 'b', 'c']) {
      await folder.write(`${name}.ts`, `'${name}'`);
      await seen(() => folder.said.includes(`publish ${name}`));
    }
    expect(folder.parsed.filter((file) => file === 'slow.ts')).toHaveLength(1);
    folder.slow[0]!();
    await seen(() => folder.said.includes('publish slow'));
  });

  it('does not hold up the start with a file that takes for ever', async () => {
    await folder.write('slow.ts', `'slow'`);
    await folder.write('other.ts', `'other'`);
    const starting = folder.start();
    let isStarted = false;
    void starting.then(() => (isStarted = true));
    while (!folder.said.includes('publish other')) await new Promise((resolve) => setTimeout(resolve, 1));
    while (folder.clock.pending === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    folder.clock.advance(9_999);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isStarted).toBe(false);
    folder.clock.advance(9_999);
    await starting;
    folder.slow[0]!();
    await folder.source.firstLook;
    expect(folder.said).toEqual(['publish other', 'publish slow']);
  });

  it('stops although a file is being parsed, of which nothing comes then', async () => {
    await folder.start();
    await folder.write('slow.ts', `'slow'`);
    await seen(() => folder.slow.length === 1);
    await folder.source.stop();
    folder.slow[0]!();
    expect(folder.said).toEqual([]);
  });

  it('keeps a DAG whose file is renamed', async () => {
    await folder.write('a.ts', `'one'`);
    await folder.start();
    await rename(join(folder.root, 'a.ts'), join(folder.root, 'b.ts'));
    await folder.source.look();
    expect(folder.said).toEqual(['publish one', 'retire one', 'publish one']);
    expect(folder.failures.get('b.ts')).toEqual([]);
  });

  it('gives a DAG id to one file, and to the other once that one has it no more', async () => {
    await folder.write('a.ts', `'slow'`);
    await folder.write('b.ts', `'slow'`);
    const starting = folder.start();
    while (folder.slow.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    for (const go of folder.slow) go();
    await starting;
    expect(folder.said).toEqual(['publish slow']);
    const refused = ['a.ts', 'b.ts'].filter((file) => folder.failures.get(file)!.length > 0);
    expect(refused).toHaveLength(1);
    const owner = refused[0] === 'a.ts' ? 'b.ts' : 'a.ts';
    expect(folder.failures.get(refused[0]!)).toEqual([
      `DAG id 'slow' is defined in '${owner}' already; DAG ids are unique in the folder`,
    ]);
    await folder.write(owner, `'other'`);
    await seen(() => folder.slow.length === 3);
    folder.slow[2]!();
    await seen(() => folder.failures.get(refused[0]!)!.length === 0);
    expect(folder.said).toEqual(['publish slow', 'publish other', 'retire slow', 'publish slow']);
  });

  it('knows after a restart what a broken file had defined', async () => {
    await folder.write('a.ts', `'one'`);
    await folder.start();
    await folder.write('a.ts', `1`);
    await folder.source.look();
    await folder.source.stop();
    await folder.start();
    expect(folder.failures.get('a.ts')).toEqual(['broken']);
    await rm(join(folder.root, 'a.ts'));
    await folder.source.look();
    expect(folder.said).toEqual(['publish one', 'retire one']);
  });

  it('does not parse again after a restart what has not changed', async () => {
    await folder.write('a.ts', `'one'`);
    await folder.start();
    await folder.source.stop();
    await folder.start();
    expect(folder.parsed).toEqual(['a.ts']);
  });
});
