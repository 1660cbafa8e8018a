import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openDataFolder } from './data-folder.ts';
import type { FolderMigration } from './format.ts';

const module = JSON.stringify(new URL('./data-folder.ts', import.meta.url).href);

describe('openDataFolder', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'rondo-data-')), 'data');
  });
  afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

  it('makes a folder that only its owner may enter', async () => {
    const data = await openDataFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(data.paths.keys).mode & 0o777).toBe(0o700);
    expect(JSON.parse(readFileSync(data.paths.format, 'utf8'))).toEqual({ format: 1 });
    data.release();
  });

  it('closes a folder that others may enter', async () => {
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    const data = await openDataFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    data.release();
  });

  it('refuses a second holder in the same process, and opens again after release', async () => {
    const data = await openDataFolder(folder);
    await expect(openDataFolder(folder)).rejects.toMatchObject({
      reason: 'in-use',
      message: expect.stringMatching(new RegExp(`in use by process ${process.pid} \\(this one\\)`)),
    });
    data.release();
    (await openDataFolder(folder)).release();
  });

  it('refuses a second process with the pid of the first, and needs no cleaning up after it was killed', async () => {
    const script = `import { openDataFolder } from ${module}; await openDataFolder(${JSON.stringify(folder)}); process.stdout.write('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await expect(openDataFolder(folder)).rejects.toThrow(new RegExp(`in use by process ${child.pid}, since`));
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    (await openDataFolder(folder)).release();
  });

  it('is refused to another process while this one holds it', async () => {
    const data = await openDataFolder(folder);
    const script = `import { openDataFolder } from ${module}; await openDataFolder(${JSON.stringify(folder)}).catch((e) => process.stdout.write(e.message));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).toContain(`in use by process ${process.pid},`);
    data.release();
  });

  it('refuses a folder of a newer release with the reason, and leaves it alone', async () => {
    (await openDataFolder(folder)).release();
    writeFileSync(join(folder, 'format.json'), '{"format":7}');
    await expect(openDataFolder(folder)).rejects.toMatchObject({
      reason: 'newer',
      message: expect.stringMatching(/format 7, which a newer release .* formats 1 to 1/),
    });
    expect(readFileSync(join(folder, 'format.json'), 'utf8')).toBe('{"format":7}');
  });

  it.each(['', 'x', '{}', '{"format":"1"}', '{"format":0}'])('refuses the format file %j', async (text) => {
    (await openDataFolder(folder)).release();
    writeFileSync(join(folder, 'format.json'), text);
    await expect(openDataFolder(folder)).rejects.toMatchObject({
      reason: 'unusable',
      message: expect.stringContaining('format.json'),
    });
  });

  it('refuses a history without a format file', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'events.db'), '');
    await expect(openDataFolder(folder)).rejects.toThrow(/events\.db.* but no format\.json/);
  });

  it('migrates an older folder step by step, and goes on where a step failed', async () => {
    (await openDataFolder(folder)).release();
    const ran: number[] = [];
    let broken = true;
    const step = (to: number): FolderMigration => ({
      to,
      describe: `step ${to}`,
      run: () => {
        if (to === 3 && broken) throw new Error('no space');
        ran.push(to);
      },
    });
    const migrations = [step(2), step(3), step(4)];
    await expect(openDataFolder(folder, { migrations })).rejects.toThrow(/format 3 \(step 3\): no space/);
    expect(JSON.parse(readFileSync(join(folder, 'format.json'), 'utf8'))).toEqual({ format: 2 });
    broken = false;
    (await openDataFolder(folder, { migrations })).release();
    (await openDataFolder(folder, { migrations })).release();
    expect(ran).toEqual([2, 3, 4]);
    expect(JSON.parse(readFileSync(join(folder, 'format.json'), 'utf8'))).toEqual({ format: 4 });
  });

  it('gives a new folder the newest format without migrating', async () => {
    const migrations = [{ to: 2, describe: 'never', run: () => Promise.reject(new Error('ran')) }];
    (await openDataFolder(folder, { migrations })).release();
    expect(JSON.parse(readFileSync(join(folder, 'format.json'), 'utf8'))).toEqual({ format: 2 });
  });

  it('says what is wrong with a path that is no folder', async () => {
    mkdirSync(join(folder, '..'), { recursive: true });
    writeFileSync(folder, '');
    await expect(openDataFolder(folder)).rejects.toThrow(/cannot be used as a data folder: .*(EEXIST|ENOTDIR)/);
  });
});
