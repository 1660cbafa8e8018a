import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPlatform, type Platform } from '@rondo/standalone';
import { verifyHistory } from '@rondo/adapter-embedded';
import type { BenchOptions } from './options.ts';
import { hostFacts, round, rssMiB } from './host.ts';
import { cpuByThread } from './threads.ts';

export const ACTOR = { kind: 'user', name: 'bench' } as const;

export interface Bench {
  readonly platform: Platform;
  readonly folder: string;
  /** Asks for a run and answers its id as soon as the command is durable. */
  trigger(dagId: string): Promise<string>;
  /** Resolves when so many more runs have ended than when it was called; call it before the runs are asked for. */
  ended(count: number): Promise<void>;
  /** Resolves when the read models show everything that is durable now. */
  caughtUp(): Promise<void>;
}

/** Makes a data folder and a DAG folder, starts the platform on them, runs the measurement, verifies the history. */
export async function withPlatform<T extends object>(
  options: BenchOptions,
  files: Readonly<Record<string, string>>,
  measure: (bench: Bench) => Promise<T>,
  prepare?: (data: string) => Promise<void>,
): Promise<T & object> {
  const folder = await mkdtemp(join(tmpdir(), 'rondo-bench-'));
  const dags = join(folder, 'dags');
  const data = join(folder, 'data');
  try {
    await mkdir(dags);
    for (const [name, text] of Object.entries(files)) await writeFile(join(dags, name), text);
    await prepare?.(data);
    const platform = await startPlatform({
      data,
      dags,
      workers: options.workers,
      executor: 'local',
      sealRuns: options.sealed,
      http: undefined,
      env: process.env,
    });
    let result: T;
    try {
      if (platform.importErrors.length > 0)
        throw new Error(platform.importErrors.map((e) => `${e.file}:${e.line ?? '?'} ${e.message}`).join('\n'));
      result = await measure(benchOf(platform, folder));
    } finally {
      await platform.stop();
    }
    const history = await verifyHistory(data);
    if (history.faults.length > 0) throw new Error(`the history does not verify: ${history.faults[0]!.message}`);
    return { ...result, historyVerified: history.events };
  } finally {
    if (options.keep) process.stderr.write(`kept ${folder}\n`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function benchOf(platform: Platform, folder: string): Bench {
  return {
    platform,
    folder,
    trigger: async (dagId) => {
      const answer = await platform.commands.send(
        { dagId, actor: ACTOR, command: { type: 'triggerRun', runType: 'manual', triggeredBy: 'user' } },
        600_000,
      );
      if (!answer.ok) throw new Error(answer.message);
      return String(answer.result['runId']);
    },
    ended: (count) => endedRuns(platform, count),
    caughtUp: async () => platform.readModels.settled(await platform.store.head(), 600_000),
  };
}

async function endedRuns(platform: Platform, count: number): Promise<void> {
  const after = await platform.store.head();
  let left = count;
  await new Promise<void>((resolve, reject) => {
    const subscription = platform.store.subscribe({
      name: 'bench',
      after,
      filter: { streamPrefixes: ['dag-'], eventTypes: ['RunClosed'] },
      onBatch: (events) => {
        for (const event of events)
          if (JSON.parse(event.data).state !== 'success') reject(new Error(`run failed: ${event.data}`));
        left -= events.length;
        if (left > 0) return;
        void subscription.stop();
        resolve();
      },
      onDrop: reject,
    });
  });
}

const NOTHING = { decideMs: 0, appendMs: 0, dispatchMs: 0, executeMs: 0, projectMs: 0, events: 0, batches: 0 };

/** Where the time went between two moments (or since the start), and what was written for each task; null without tasks. */
export function meterOf(platform: Platform, sinceStart = false) {
  const before = sinceStart ? NOTHING : { ...platform.meter() };
  const cpuBefore = sinceStart ? {} : cpuByThread(platform.childPids());
  return (tasks: number, seconds: number) => {
    const now = platform.meter();
    const events = now.events - before.events;
    const ms = (name: 'decideMs' | 'appendMs' | 'dispatchMs' | 'executeMs' | 'projectMs'): number =>
      round(now[name] - before[name], 0);
    return {
      eventsPerTask: tasks === 0 ? null : round(events / tasks),
      commitsPerTask: tasks === 0 ? null : round((now.batches - before.batches) / tasks, 4),
      eventsPerSecond: Math.round(events / seconds),
      rssMiB: rssMiB(),
      childPids: platform.childPids(),
      splitMs: {
        decide: ms('decideMs'),
        append: ms('appendMs'),
        dispatch: ms('dispatchMs'),
        execute: ms('executeMs'),
        project: ms('projectMs'),
      },
      cpuMs: since(cpuBefore, cpuByThread(platform.childPids())),
      host: hostFacts(),
    };
  };
}

function since(
  before: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const used = Object.entries(now).map(([name, ms]) => [name, ms - (before[name] ?? 0)] as const);
  return Object.fromEntries(used.filter(([, ms]) => ms > 0).sort((a, b) => b[1] - a[1]));
}
