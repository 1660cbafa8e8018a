import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectDags, Dag, executeAttempt, type AttemptInput, type AttemptResult } from '@rondo/sdk';

/** The bundle of the attempts that `run` makes. */
export const root = mkdtempSync(join(tmpdir(), 'rondo-operators-'));
afterAll(() => rmSync(root, { recursive: true }));

export interface Ran extends AttemptResult {
  readonly log: string[];
}

export interface World {
  readonly connections?: Record<string, object>;
  readonly signal?: AbortSignal;
  readonly resume?: NonNullable<AttemptInput['resume']>;
  readonly onLog?: (line: string) => void;
}

export async function run(make: () => unknown, world: World = {}, taskId = 't'): Promise<Ran> {
  const { dags, errors } = collectDags({ default: new Dag({ id: 'd', timezone: 'Europe/Berlin' }, make) }, 'dag.ts');
  expect(errors).toEqual([]);
  const log: string[] = [];
  const result = await executeAttempt({
    dag: dags[0]!,
    input: {
      id: 'a',
      attempt: { dagId: 'd', runId: 'r', taskId, mapIndex: [], tryNumber: 1, leg: 1 },
      bundle: { hash: '', file: 'dag.ts' },
      run: {
        runType: 'manual',
        logicalDate: Date.UTC(2024, 11, 1, 5),
        dataInterval: null,
        runAfter: 0,
        startedAt: 0,
        conf: {},
        triggeredBy: 'user',
      },
      maxTries: 1,
      inputs: {},
      position: 0,
      traceparent: '',
      ...(world.resume === undefined ? {} : { resume: world.resume }),
    },
    services: {
      variable: async () => undefined,
      connection: async (_id, connId) => world.connections?.[connId] as never,
      xcom: async () => undefined,
      xcomList: async () => ({ values: [], total: 0 }),
      putBlob: async () => '',
      getBlob: async () => undefined,
    },
    signal: world.signal ?? new AbortController().signal,
    log: (level, line) => {
      log.push(`${level} ${line}`);
      world.onLog?.(line);
    },
    env: { PATH: process.env['PATH']!, HOME: root, INHERITED: 'yes' },
    root,
    cacheFolder: join(root, 'cache'),
  });
  return { ...result, log };
}

export const value = ({ outcome, log }: Ran): unknown => {
  if (outcome.kind !== 'success') throw new Error(`${JSON.stringify(outcome)}\n${log.join('\n')}`);
  const stored = outcome.xcoms?.['return_value'];
  return stored !== undefined && 'value' in stored ? stored.value : stored;
};
export const message = ({ outcome }: Ran): string =>
  outcome.kind === 'failed' ? outcome.error.message : JSON.stringify(outcome);
const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
export const gone = async (pid: number): Promise<void> => {
  while (isAlive(pid)) await sleep(10);
};
