import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedBus } from '@rondo/adapter-embedded';
import { BusParser, ParseDesk } from '@rondo/application';
import type { MessageBus, ParseRequest, ParseResult } from '@rondo/ports';
import { countingIds, fakeClock } from '@rondo/testing';

const PATIENCE_MS = 1_000;

let root: string;
let bus: MessageBus;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rondo-parsing-'));
  bus = embeddedBus();
});
afterEach(async () => {
  await bus.close();
  await rm(root, { recursive: true, force: true });
});

/** One who asks, and what it has stored. */
async function asker() {
  const clock = fakeClock();
  const bundles = new Map<string, readonly string[]>();
  const notices: string[] = [];
  const putBundle = async (files: ReadonlyMap<string, Uint8Array>): Promise<string> => {
    const digest = createHash('sha256');
    for (const [path, bytes] of files) digest.update(path).update(bytes);
    const hash = digest.digest('hex');
    bundles.set(hash, [...files.keys()]);
    return hash;
  };
  const parser = new BusParser({
    ...{ bus, clock, ids: countingIds(), bundles: { putBundle } },
    patienceMs: PATIENCE_MS,
    onNotice: (text) => notices.push(text),
  });
  await parser.start();
  const ask = (file: string, more: Partial<ParseRequest> = {}) =>
    parser.parse({ id: `ask ${file}`, root, file, ...more });
  return { clock, bundles, notices, parser, ask };
}

const resultOf = ({ id, file }: ParseRequest): ParseResult => ({
  ...{ id, file, dags: [], bundleFiles: [file], errors: [], output: [] },
});

/** A gateway whose workers answer as told. */
async function gateway(parse: (request: ParseRequest) => Promise<ParseResult>) {
  const asked: ParseRequest[] = [];
  const failures: unknown[] = [];
  const desk = new ParseDesk(
    bus,
    (request) => {
      asked.push(request);
      return parse(request);
    },
    (error) => failures.push(error),
  );
  await desk.start();
  return { asked, failures, desk };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('DAG files that are loaded elsewhere', () => {
  it('are asked for with the whole folder as a bundle, and answered', async () => {
    await mkdir(join(root, 'lib'));
    await writeFile(join(root, 'a.ts'), 'export default 1');
    await writeFile(join(root, 'lib/b.ts'), 'export const b = 1');
    const { asked } = await gateway(async (request) => resultOf(request));
    const { ask, bundles, parser } = await asker();
    expect(await ask('a.ts')).toMatchObject({ id: 'ask a.ts', file: 'a.ts' });
    expect(asked).toHaveLength(1);
    expect(asked[0]!.root).toBe('');
    expect(bundles.get(asked[0]!.bundle!)).toEqual(['a.ts', 'lib/b.ts']);
    await parser.stop();
  });

  it('have one bundle while the folder stays as it is, and another after an edit', async () => {
    await writeFile(join(root, 'a.ts'), '1');
    await writeFile(join(root, 'b.ts'), '1');
    const { asked } = await gateway(async (request) => resultOf(request));
    const { ask, bundles, parser } = await asker();
    await Promise.all([ask('a.ts'), ask('b.ts')]);
    expect(bundles.size).toBe(1);
    await writeFile(join(root, 'b.ts'), '22');
    await ask('b.ts', { id: 'later' });
    expect(bundles.size).toBe(2);
    expect(asked[2]!.bundle).not.toBe(asked[0]!.bundle);
    await ask('b.ts', { id: 'of a version', bundle: 'known' });
    expect(asked[3]!.bundle).toBe('known');
    expect(bundles.size).toBe(2);
    await parser.stop();
  });

  it('are asked for again while nobody answers, however long that is', async () => {
    await writeFile(join(root, 'a.ts'), '1');
    let times = 0;
    const silent = await gateway(() => new Promise(() => undefined));
    const { ask, clock, notices, parser } = await asker();
    const answer = ask('a.ts');
    await until(() => silent.asked.length === 1);
    clock.advance(PATIENCE_MS);
    await until(() => silent.asked.length === 2);
    expect(notices).toHaveLength(1);
    // What is asked a third time is with two workers already.
    clock.advance(PATIENCE_MS);
    await silent.desk.stop();
    const helpful = await gateway(async (request) => {
      times++;
      return resultOf(request);
    });
    clock.advance(PATIENCE_MS);
    expect(await answer).toMatchObject({ file: 'a.ts' });
    expect(silent.asked).toHaveLength(2);
    expect(times).toBe(helpful.asked.length);
    clock.advance(PATIENCE_MS * 5);
    expect(clock.pending).toBe(0);
    await parser.stop();
  });

  it('are told of to whoever looks after the gateway, when an answer cannot be given', async () => {
    await writeFile(join(root, 'a.ts'), '1');
    let isBroken = true;
    const { failures } = await gateway(async (request) => {
      if (isBroken) throw new Error('broken');
      return resultOf(request);
    });
    const { ask, clock, parser } = await asker();
    const answer = ask('a.ts');
    await until(() => failures.length === 1);
    isBroken = false;
    clock.advance(PATIENCE_MS);
    expect(await answer).toMatchObject({ file: 'a.ts' });
    await parser.stop();
  });

  it('are given up when the asking service stops', async () => {
    await writeFile(join(root, 'a.ts'), '1');
    const { asked } = await gateway(() => new Promise(() => undefined));
    const { ask, parser, clock } = await asker();
    const answer = ask('a.ts');
    await until(() => asked.length === 1);
    await Promise.all([expect(answer).rejects.toThrow('stops'), parser.stop()]);
    await expect(ask('a.ts', { id: 'later' })).rejects.toThrow('stops');
    expect(clock.pending).toBe(0);
  });
});
