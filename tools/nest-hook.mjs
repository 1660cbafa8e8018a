/**
 * Lets Node run the Nest apps from source: `node --enable-source-maps --import ./tools/nest-hook.mjs apps/x/src/main.ts`.
 *
 * Node's own type stripping handles every other package. Only apps and nest-platform carry decorators, which need a
 * transform that emits their metadata. Worker threads and forked processes inherit `--import`, and so this hook.
 */
import { readFileSync } from 'node:fs';
import { createRequire, enableCompileCache, registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { swcOptions } from './swc.mjs';

const decorated = ['../apps/', '../libs/nest-platform/'].map((folder) => new URL(folder, import.meta.url).href);

/** Loaded on first use: a process that meets no decorated file (a task's child) never pays for it. */
let transformSync;

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/rondo-compile'));

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('.ts') || !decorated.some((folder) => url.startsWith(folder))) return nextLoad(url, context);
    transformSync ??= createRequire(import.meta.url)('@swc/core').transformSync;
    const filename = fileURLToPath(url);
    const { code } = transformSync(readFileSync(filename, 'utf8'), { ...swcOptions, filename, sourceMaps: 'inline' });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
