import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPERATION } from '../src/http/operation.ts';
import { openApiDocument } from '../src/openapi/document.ts';
import { OPERATIONS } from '../src/openapi/operations.ts';
import { QueryModule } from '../src/query.module.ts';
import type { QueryOptions } from '../src/options.ts';
import { ApiUnderTest } from './api-kit.ts';

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<string, { readonly operationId: string; readonly parameters?: readonly { readonly name: string }[] }>
      >
    >
  >;
}

/** The operations that the controllers' methods answer. */
function routed(): unknown[] {
  const { controllers = [] } = QueryModule.register({} as QueryOptions);
  return controllers.flatMap((controller) => {
    const prototype = controller.prototype as object;
    return Object.getOwnPropertyNames(prototype)
      .map((name) => Object.getOwnPropertyDescriptor(prototype, name)?.value as object | undefined)
      .map((method) => (typeof method === 'function' ? (Reflect.getMetadata(OPERATION, method) as unknown) : undefined))
      .filter((operation) => operation !== undefined);
  });
}

describe('the OpenAPI document', () => {
  const document = openApiDocument('1.2.3') as Document;

  it('has every operation that is answered, and no other', () => {
    expect(new Set(routed())).toEqual(new Set(OPERATIONS));
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((operation) => operation.operationId),
    );
    expect(ids.toSorted()).toEqual(OPERATIONS.map((operation) => operation.id).toSorted());
  });

  it('takes asOf on every query of a run and its tasks, and an Idempotency-Key on every POST', () => {
    const without = (parameter: string, method: string, isMeant: (path: string) => boolean): string[] =>
      Object.entries(document.paths)
        .filter(([path, methods]) => methods[method] !== undefined && isMeant(path))
        .filter(([, methods]) => methods[method]!.parameters?.every((each) => each.name !== parameter) ?? true)
        .map(([path]) => path);
    const ofRun = (path: string): boolean =>
      path.startsWith('/dags/{dagId}/runs') && !/\/(log|reasons|upstreamAssetEvents)$/.test(path);
    expect(without('asOf', 'get', ofRun)).toEqual([]);
    expect(without('after', 'get', ofRun)).toEqual([]);
    expect(without('Idempotency-Key', 'post', () => true)).toEqual([]);
  });

  it('is lint-clean', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rondo-openapi-'));
    try {
      const file = join(folder, 'openapi.json');
      writeFileSync(file, JSON.stringify(document));
      const redocly = createRequire(import.meta.url).resolve('@redocly/cli/bin/cli.js');
      const env = {
        ...process.env,
        NODE_OPTIONS: '',
        REDOCLY_TELEMETRY: 'off',
        REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
      };
      const run = spawnSync(
        process.execPath,
        [redocly, 'lint', file, '--extends', 'recommended', '--format', 'stylish'],
        { cwd: folder, env, encoding: 'utf8' },
      );
      expect(`${run.stdout}${run.stderr}`).not.toMatch(/\b(warning|error)\b.*\S/);
      expect(run.status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is served', async () => {
    const api = await ApiUnderTest.start();
    try {
      expect((await api.get('/openapi.json')).body).toMatchObject({ openapi: '3.1.0', info: { version: '9.9.9' } });
    } finally {
      await api.stop();
    }
  });
});
