import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');

/** A parameter property and an injection by type: neither runs under plain type stripping. */
const APP = `
import 'reflect-metadata';
import { isMainThread, Worker } from 'node:worker_threads';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { greeting } from '@rondo/plain';

@Injectable()
class Greeter {
  greet(): string {
    return greeting;
  }
}

@Injectable()
class Door {
  constructor(private readonly greeter: Greeter) {}
  open(): string {
    if (!isMainThread) throw new Error('from the worker');
    return this.greeter.greet();
  }
}

@Module({ providers: [Greeter, Door] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  worker.on('error', (error) => console.log(error.stack));
}
console.log(app.get(Door).open());
`;

describe('tools/nest-hook.mjs', () => {
  let folder: string;

  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rondo-hook-'));
    for (const file of ['nest-hook.mjs', 'swc.mjs']) cpSync(join(root, 'tools', file), join(folder, 'tools', file));
    mkdirSync(join(folder, 'node_modules/@rondo'), { recursive: true });
    for (const name of ['@nestjs', '@swc', 'reflect-metadata']) {
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    }
    symlinkSync('../../libs/plain', join(folder, 'node_modules/@rondo/plain'));
    write('package.json', '{ "type": "module" }');
    write('libs/plain/package.json', '{ "type": "module", "exports": "./index.ts" }');
    write('libs/plain/index.ts', `export const greeting: string = 'injected';`);
    write('apps/door/src/main.ts', APP);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('runs a Nest app from source, in worker threads too, with places that point into the source', async () => {
    const args = ['--enable-source-maps', '--import', join(folder, 'tools/nest-hook.mjs'), 'apps/door/src/main.ts'];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: folder });
    expect(stdout).toMatch(/^injected\n/);
    expect(stdout).toMatch(/Error: from the worker\n\s+at Door\.open \(.*apps\/door\/src\/main\.ts:19:\d+\)/);
    expect(stderr).toBe('');
  });
});
