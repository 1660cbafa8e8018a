import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

type Case = readonly [name: string, file: string, source: string, message: string | undefined];

// oxfmt-ignore
const cases: readonly Case[] = [
  // What each kind of package must not import.
  ['kernel -> domain', 'libs/kernel/src/a.ts', `import { x } from '@rondo/domain';\nx();`, 'libs/kernel (lib:kernel) must not import @rondo/domain (lib:domain); allowed: nothing'],
  ['domain -> ports', 'libs/domain/src/a.ts', `import { x } from '@rondo/ports';\nx();`, 'libs/domain (lib:domain) must not import @rondo/ports (lib:ports); allowed: lib:kernel'],
  ['ports -> contracts', 'libs/ports/src/a.ts', `import { x } from '@rondo/contracts';\nx();`, 'libs/ports (lib:ports) must not import @rondo/contracts'],
  ['contracts -> ports', 'libs/contracts/src/a.ts', `import { x } from '@rondo/ports';\nx();`, 'libs/contracts (lib:contracts) must not import @rondo/ports'],
  ['application -> adapter', 'libs/application/src/a.ts', `import { x } from '@rondo/adapter-embedded';\nx();`, 'libs/application (lib:application) must not import @rondo/adapter-embedded'],
  ['projections -> application', 'libs/projections/src/a.ts', `import { x } from '@rondo/application';\nx();`, 'libs/projections (lib:projections) must not import @rondo/application'],
  ['sdk -> ports', 'libs/sdk/src/a.ts', `import { x } from '@rondo/ports';\nx();`, 'libs/sdk (lib:sdk) must not import @rondo/ports'],
  ['operators -> domain', 'libs/operators/src/a.ts', `import { x } from '@rondo/domain';\nx();`, 'libs/operators (lib:operators) must not import @rondo/domain (lib:domain); allowed: lib:sdk, lib:kernel'],
  ['adapter -> adapter', 'libs/adapter-embedded/src/a.ts', `import { x } from '@rondo/adapter-other';\nx();`, 'libs/adapter-embedded (lib:adapter) must not import @rondo/adapter-other (lib:adapter)'],
  ['nest-platform -> domain', 'libs/nest-platform/src/a.ts', `import { x } from '@rondo/domain';\nx();`, 'libs/nest-platform (lib:nest-platform) must not import @rondo/domain'],
  ['a library -> an app', 'libs/application/src/b.ts', `import { x } from '@rondo/app-query';\nx();`, 'libs/application (lib:application) must not import @rondo/app-query (app:service)'],
  ['an app -> another app', 'apps/query/src/a.ts', `import { x } from '@rondo/app-worker';\nx();`, 'apps/query (app:service) must not import @rondo/app-worker (app:service)'],
  ['the CLI -> an app', 'apps/cli/src/a.ts', `import { x } from '@rondo/standalone';\nx();`, 'apps/cli (app:cli) must not import @rondo/standalone (app:standalone)'],
  ['production code -> testing', 'libs/adapter-embedded/src/b.ts', `import { x } from '@rondo/testing';\nx();`, 'libs/adapter-embedded (lib:adapter) must not import @rondo/testing (lib:testing)'],
  ['a DAG -> domain', 'dags/a.ts', `import { x } from '@rondo/domain';\nx();`, 'dags (dags) must not import @rondo/domain (lib:domain); allowed: lib:sdk, lib:operators'],
  // Each form that an import takes.
  ['type-only import', 'libs/domain/src/type.ts', `import type { X } from '@rondo/ports';\nexport const x = (y: X) => y;`, 'must not import @rondo/ports'],
  ['import() type', 'libs/domain/src/import-type.ts', `export type X = import('@rondo/ports').X;`, 'must not import @rondo/ports'],
  ['export from', 'libs/domain/src/export.ts', `export { x } from '@rondo/ports';`, 'must not import @rondo/ports'],
  ['export * from', 'libs/domain/src/export-all.ts', `export * from '@rondo/ports';`, 'must not import @rondo/ports'],
  ['dynamic import', 'libs/operators/src/dynamic.ts', `export const x = () => import('@rondo/ports');`, 'must not import @rondo/ports'],
  ['dynamic import of a template', 'libs/operators/src/template.ts', 'export const x = () => import(`@rondo/ports`);', 'must not import @rondo/ports'],
  ['require', 'libs/operators/src/require.ts', `export const x = require('@rondo/ports');`, 'must not import @rondo/ports'],
  ['relative escape', 'libs/domain/src/escape.ts', `export * from '../../ports/src/index.ts';`, '../../ports/src/index.ts leaves libs/domain; import a package by name'],
  ['relative type escape', 'libs/kernel/src/escape.ts', `export type { X } from '../../../apps/query/src/index.ts';`, '../../../apps/query/src/index.ts leaves libs/kernel'],
  // Declarations.
  ['undeclared package', 'libs/adapter-other/src/a.ts', `import { x } from '@rondo/contracts';\nx();`, '@rondo/contracts is not among the dependencies of libs/adapter-other/package.json'],
  ['undeclared library', 'libs/application/src/c.ts', `import { x } from 'left-pad';\nx();`, 'left-pad is not among the dependencies of libs/application/package.json or of the root'],
  ['unknown package', 'libs/application/src/d.ts', `import { x } from '@rondo/nowhere';\nx();`, '@rondo/nowhere is no package of this workspace'],
  // Closed packages and Nest.
  ['domain -> node:fs', 'libs/domain/src/node.ts', `import { x } from 'node:fs';\nx();`, 'libs/domain (lib:domain) must not import node:fs; nothing of Node, and of libraries: cron-parser'],
  ['domain -> fs', 'libs/domain/src/fs.ts', `import { x } from 'fs';\nx();`, 'must not import fs'],
  ['domain -> a library', 'libs/domain/src/library.ts', `import { x } from 'zod';\nx();`, 'must not import zod'],
  ['application -> Nest', 'libs/application/src/nest.ts', `import { Injectable } from '@nestjs/common';\nInjectable();`, '@nestjs/common; NestJS stands only in apps and libs/nest-platform'],
  ['kernel -> a library', 'libs/kernel/src/library.ts', `import { x } from 'zod';\nx();`, 'libs/kernel (lib:kernel) must not import zod; nothing of Node, and of libraries: none'],
  // Purity of the domain.
  ['Date.now', 'libs/domain/src/now.ts', 'export const x = () => Date.now();', 'the domain is pure: the current time (Date.now)'],
  ['new Date()', 'libs/domain/src/date.ts', 'export const x = () => new Date();', 'the domain is pure: the current time (new Date())'],
  ['Date()', 'libs/domain/src/call.ts', 'export const x = () => Date();', 'the domain is pure: the current time (Date())'],
  ['Math.random', 'libs/domain/src/random.ts', `export const x = () => Math['random']();`, 'the domain is pure: randomness (Math.random)'],
  ['Promise value', 'libs/domain/src/promise.ts', 'export const x = () => Promise.resolve(1);', 'the domain is pure: what Promise gives'],
  ['Promise type', 'libs/domain/src/promise-type.ts', 'export type X = Promise<number>;', 'the domain is pure: what Promise gives'],
  ['async function', 'libs/domain/src/async.ts', 'export async function x() {}', 'the domain is pure: the outcome of an async function'],
  ['async arrow', 'libs/domain/src/async-arrow.ts', 'export const x = async () => 1;', 'the domain is pure: the outcome of an async function'],
  ['timer', 'libs/domain/src/timer.ts', 'export const x = () => setTimeout(() => 1, 1);', 'the domain is pure: what setTimeout gives'],
  ['performance', 'libs/domain/src/clock.ts', 'export const x = () => performance.now();', 'the domain is pure: what performance gives'],
  // Syntax that Node cannot strip.
  ['enum', 'libs/sdk/src/enum.ts', 'export enum X { A }', 'an enum cannot be erased; it may stand only in apps and libs/nest-platform'],
  ['namespace', 'libs/sdk/src/namespace.ts', 'export namespace X { export const a = 1; }', 'a namespace cannot be erased'],
  ['parameter property', 'libs/sdk/src/property.ts', 'export class X { constructor(readonly a: number) {} }', 'a parameter property cannot be erased'],
  ['decorator', 'dags/decorator.ts', 'const d = (c: unknown) => c;\n@d export class X {}', 'a decorator cannot be erased'],
  // What is right.
  ['a declared namespace', 'libs/sdk/src/declared.ts', 'declare global { interface X { a: 1 } }\nexport {};', undefined],
  ['a parameter property in an app', 'apps/worker/src/right.ts', 'export class X { constructor(readonly a: number) {} }', undefined],
  ['domain -> kernel', 'libs/domain/src/right.ts', `import { x } from '@rondo/kernel';\nexport const y = (at: number) => [x, new Date(at), Math.max(at, 1)];`, undefined],
  ['a property named as a global', 'libs/domain/src/names.ts', 'export const x = (state: { process: number }) => ({ crypto: state.process });', undefined],
  ['inside one package', 'libs/domain/src/inside.ts', `export * from './right.ts';`, undefined],
  ['operators -> sdk', 'libs/operators/src/right.ts', `import type { X } from '@rondo/sdk';\nexport const y = (x: X) => x;`, undefined],
  ['application -> node and a library of the root', 'libs/application/src/right.ts', `import { x } from 'node:fs';\nimport { z } from 'zod/v4';\nx(z);`, undefined],
  ['adapter spec -> testing', 'libs/adapter-embedded/src/a.spec.ts', `import { x } from '@rondo/testing';\nx();`, undefined],
  ['domain spec -> a test library', 'libs/domain/src/a.spec.ts', `import { x } from 'fast-check';\nx(Math.random());`, undefined],
  ['app -> Nest and an adapter', 'apps/query/src/right.ts', `import { Module } from '@nestjs/common';\nimport { x } from '@rondo/adapter-embedded';\nModule(x);`, undefined],
  ['standalone -> the apps', 'apps/standalone/src/right.ts', `import { x } from '@rondo/app-query';\nx();`, undefined],
  ['a DAG -> sdk', 'dags/right.ts', `import { x } from '@rondo/sdk';\nx();`, undefined],
  ['test/ -> anything', 'test/right.ts', `import { x } from '@rondo/app-query';\nimport { y } from '@rondo/testing';\nx(y);`, undefined],
];

type Finding = { readonly message: string; readonly code?: string; readonly filename: string };

const write = (folder: string, file: string, text: string): void => {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
};

/** A workspace of the real manifests and lint rules, with none of the real code and one adapter more. */
const makeWorkspace = (folder: string): void => {
  for (const file of ['package.json', '.oxlintrc.json', 'tools/lint'])
    cpSync(join(root, file), join(folder, file), { recursive: true });
  for (const kind of ['libs', 'apps']) {
    for (const name of readdirSync(join(root, kind))) {
      const manifest = `${kind}/${name}/package.json`;
      mkdirSync(join(folder, kind, name), { recursive: true });
      cpSync(join(root, manifest), join(folder, manifest));
    }
  }
  const other = { name: '@rondo/adapter-other', dependencies: { '@rondo/ports': '*' }, nx: { tags: ['lib:adapter'] } };
  write(folder, 'libs/adapter-other/package.json', JSON.stringify(other));
};

type Outcome = { readonly status: number; readonly findings: readonly Finding[] };

const lint = (folder: string): Promise<Outcome> =>
  new Promise((done, fail) => {
    const args = [join(root, 'node_modules/oxlint/bin/oxlint'), '-f', 'json'];
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 1e8 }, (error, stdout, stderr) => {
      try {
        const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly Finding[] };
        done({ status: Number(error?.code ?? 0), findings: diagnostics });
      } catch {
        fail(new Error(`oxlint gave no JSON: ${stdout}${stderr}`));
      }
    });
  });

describe('the rules of the workspace, as lint', () => {
  let folder: string;
  let outcome: Outcome;

  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'rondo-lint-')));
    makeWorkspace(folder);
    for (const [, file, source] of cases) write(folder, file, `${source}\n`);
    outcome = await lint(folder);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const ours = (file: string): string[] =>
    outcome.findings
      .filter((each) => each.filename === file && each.code?.startsWith('rondo('))
      .map((each) => each.message);

  it('has one file for each case', () => {
    expect(new Set(cases.map(([, file]) => file)).size).toBe(cases.length);
  });

  it('fails', () => {
    expect(outcome.status).toBe(1);
  });

  it.each(cases.filter(([, , , message]) => message !== undefined))('refuses: %s', (_name, file, _source, message) => {
    expect(ours(file)).toContainEqual(expect.stringContaining(message ?? ''));
  });

  it.each(cases.filter(([, , , message]) => message === undefined))('allows: %s', (_name, file) => {
    expect(ours(file)).toEqual([]);
  });
});
