import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { lockFolder, systemClock } from '@rondo/adapter-embedded';
import { AttemptCalls, WorkerAgent } from '@rondo/application';
import type { GatewayLine } from '@rondo/ports';
import { monotonicMs } from '../monotonic.ts';
import type { WorkerOptions } from '../options.ts';
import { startWorkerThread } from '../session.ts';
import { BundleCache } from './bundle-cache.ts';
import { serveDesk } from './desk.ts';
import { LogSpool } from './log-spool.ts';

export interface WorkerServiceOptions extends Omit<
  WorkerOptions,
  'stores' | 'services' | 'worker' | 'isFreshDataFolder' | 'bundlesFolder'
> {
  /** Unique among the workers of an installation. */
  readonly worker: string;
  readonly release: string;
  /** One for each gateway. */
  readonly lines: readonly GatewayLine[];
  readonly labels?: Readonly<Record<string, string>>;
  /** What its attempts run in. Default `local`. */
  readonly executor?: string;
  /** It was made for this one attempt. */
  readonly attempt?: { readonly id: string; readonly token: string };
  /** See `LogSpoolOptions` and `BundleCacheOptions`. */
  readonly maxSpoolBytes?: number;
  readonly maxBundleBytes?: number;
  readonly onNotice: (text: string) => void;
  /** A gateway has sent the worker away, and it has nothing left to do. */
  readonly onDrained?: () => void;
}

export interface WorkerService {
  /** Resolves when the worker can take attempts; gateways may still be out of reach. */
  start(): Promise<void>;
  /** Drains and goes: see `WorkerAgent.leave`. */
  stop(graceMs: number, hurry?: AbortSignal): Promise<void>;
  /** What it is up to, for people; throws while no gateway can be reached. */
  check(): Promise<string>;
  status(): ReturnType<WorkerAgent['status']> & { readonly spooledBytes: number };
}

/** How long a worker that stops tries to deliver logs. */
const LOGS_MS = 5_000;

/** A worker in a process of its own: neither store nor bus, only lines to gateways. Throws where another has the data folder. */
export function workerService(options: WorkerServiceOptions): WorkerService {
  const { lines, dataFolder, onNotice, maxSpoolBytes, maxBundleBytes, release, labels, executor } = options;
  const bundlesFolder = join(dataFolder, 'bundles');
  const isFreshDataFolder = !existsSync(join(dataFolder, 'worker', 'journal'));
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  // Two processes with one journal would each take the other's attempts for its own.
  const unlock = lockFolder({
    folder: dataFolder,
    lock: join(dataFolder, 'lock'),
    holder: join(dataFolder, 'lock.holder'),
  });
  const reachable = (): readonly GatewayLine[] => {
    const open = new Set(agent.status().addresses);
    return lines.toSorted((a, b) => Number(open.has(b.address)) - Number(open.has(a.address)));
  };
  const spool = new LogSpool({
    folder: join(dataFolder, 'logs'),
    lines: reachable,
    onNotice,
    ...(maxSpoolBytes === undefined ? {} : { maxBytes: maxSpoolBytes }),
  });
  const cache = new BundleCache({
    folder: bundlesFolder,
    lines: reachable,
    ...(maxBundleBytes === undefined ? {} : { maxBytes: maxBundleBytes }),
  });
  const { port1: own, port2: port } = new MessageChannel();
  serveDesk(own, {
    append: (attempt, logged) => spool.append(attempt, logged),
    materialise: (hash) => cache.materialise(hash),
    release: (hash) => cache.release(hash),
  });
  const calls = new AttemptCalls();
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const session = startWorkerThread({
    warden: true,
    ...options,
    bundlesFolder,
    isFreshDataFolder,
    services: calls.services,
    stores: { module: new URL(`./stores.${extension}`, import.meta.url), options: { port }, transfer: [port] },
  });
  const agent = new WorkerAgent({
    session,
    lines,
    calls,
    clock: systemClock(),
    monotonic: monotonicMs,
    boot: randomUUID(),
    release,
    onNotice,
    ...(labels === undefined ? {} : { labels }),
    ...(executor === undefined ? {} : { executor }),
    ...(options.attempt === undefined ? {} : { attempt: options.attempt }),
    ...(options.onDrained === undefined ? {} : { onDrained: options.onDrained }),
  });
  return {
    start: async () => {
      spool.start();
      await agent.start();
    },
    stop: async (graceMs, hurry) => {
      await agent.leave(graceMs, hurry);
      await spool.close(hurry?.aborted === true ? 0 : LOGS_MS);
      await Promise.all(lines.map((line) => line.close()));
      own.close();
      unlock();
    },
    check: async () => {
      const { gateways, running, isDraining } = agent.status();
      if (gateways.length === 0) throw new Error('no gateway can be reached');
      return `${running} attempts run, for ${gateways.join(', ')}${isDraining ? '; draining' : ''}`;
    },
    status: () => ({ ...agent.status(), spooledBytes: spool.bytes }),
  };
}
