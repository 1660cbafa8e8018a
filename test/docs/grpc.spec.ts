import { spawn } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { RANDOM_VERSION, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { CALLS } from '../../apps/query/src/grpc/calls.ts';
import { ApiUnderTest } from '../../apps/query/test/api-kit.ts';
import { eventsOf, firstTry } from '../../apps/query/test/run-events.ts';
import { codeIn, firstCells, pageAt, root } from './markdown.ts';

const page = pageAt('docs/grpc.md');
const { published, requested, own, started } = eventsOf(RANDOM_VERSION);

it('lists every method, and no other', () => {
  expect(firstCells(page, '## Methods').flatMap(codeIn).sort()).toEqual([...Object.keys(CALLS), 'WatchRun'].sort());
});

describe('the client of docs/grpc.md', () => {
  let folder: string;
  let api: ApiUnderTest;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rondo-grpc-'));
    api = await ApiUnderTest.start({}, { listen: '127.0.0.1:0' });
    await api.blobs.put(RANDOM_VERSION_BYTES);
    await api.given(published('random'));
  });
  afterAll(async () => {
    await api.stop();
    await rm(folder, { recursive: true });
  });

  it('starts a run and follows it', async () => {
    for (const name of ['node_modules', 'proto']) await symlink(join(root, name), join(folder, name));
    const file = join(folder, 'client.mjs');
    await writeFile(file, page.blocks.find(({ language }) => language === 'js')!.text);
    api.onCommand = async () => {
      const position = await api.given(requested('mine', 50), started('mine', 51));
      return { ok: true, position, result: { dagId: 'random', runId: 'mine', existed: false } };
    };
    const child = spawn(process.execPath, [file, api.server.grpcAddress!], {
      cwd: folder,
      env: { PATH: process.env.PATH },
    });
    const log = text(child.stderr);
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      const isFirst = out === '';
      out += more;
      if (isFirst)
        void api.given(
          own('mine', 'TaskScheduled', firstTry, 60),
          own('mine', 'RunFailed', { reason: 'task_failure' }, 61),
        );
    });
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    expect(await log).toBe('');
    expect(out).toBe('run: running\nfirst: scheduled\nrun: failed\nended: failed\n');
    expect(code).toBe(0);
  });
});
