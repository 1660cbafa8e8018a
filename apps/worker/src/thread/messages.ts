import type { FailPoint } from '@rondo/kernel';
import type { LeaseTerm, ParseRequest, ParseResult, WorkerHello } from '@rondo/ports';
import type { AnswerFrame, CallFrame, ServiceMethod } from '../child/frames.ts';
import type { LaunchOptions } from '../pool/launcher.ts';
import type { PoolLimits } from '../pool/limits.ts';
import type { TriggererLimits } from '../triggerer/limits.ts';

/** What the thread is started with: plain data. */
export interface ThreadOptions {
  readonly worker: string;
  readonly queues: readonly string[];
  readonly limits: PoolLimits;
  readonly triggerer: TriggererLimits;
  readonly launch: Omit<LaunchOptions, 'token'>;
  /** The worker's own folder: its journal. */
  readonly folder: string;
  readonly isFreshDataFolder: boolean;
  /** A process beside the worker sees to it that nothing runs beyond its lease. */
  readonly warden: boolean;
  readonly secrets: readonly string[];
  readonly prestart: number;
  readonly parse: { readonly timeoutMs: number; readonly heapMiB: number; readonly concurrency: number };
  /** URL of a module that exports `openWorkerStores`, and what to call it with. */
  readonly stores: { readonly module: string; readonly options: unknown };
  /** Ends the whole process with SIGKILL at that passage of that place. */
  readonly failPoint?: { readonly point: FailPoint; readonly hit: number };
}

/** What passes between the session and its thread, gathered into one array for each turn of the sender's loop. */
export type ToThread =
  /** Assignments as JSON, one a line. */
  | { readonly kind: 'assign'; readonly works: string; readonly lease?: string }
  | { readonly kind: 'callbacks' | 'watch'; readonly works: string }
  | { readonly kind: 'renew'; readonly terms: readonly LeaseTerm[] }
  | { readonly kind: 'relet'; readonly ids: readonly string[]; readonly lease: string }
  | {
      readonly kind: 'cancel';
      readonly ids: readonly string[];
      readonly reason: string;
      readonly as: 'cancelled' | 'lost';
    }
  | { readonly kind: 'unwatch'; readonly ids: readonly string[]; readonly reason: string }
  | { readonly kind: 'acknowledge'; readonly ids: readonly string[] }
  | {
      readonly kind: 'answer';
      readonly child: number;
      readonly attemptId: string;
      readonly method: ServiceMethod;
      readonly frame: AnswerFrame;
    }
  | { readonly kind: 'parse'; readonly request: ParseRequest }
  | { readonly kind: 'stop'; readonly graceMs: number };

export type FromThread =
  | { readonly kind: 'hello'; readonly hello: WorkerHello }
  /** Reports as JSON, with commas between them. */
  | { readonly kind: 'reports'; readonly reports: string }
  | { readonly kind: 'call'; readonly attemptId: string; readonly child: number; readonly call: CallFrame }
  | { readonly kind: 'parsed'; readonly result: ParseResult }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'stopped' };
