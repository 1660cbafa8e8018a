import { createHash } from 'node:crypto';
import type { Assignment, AttemptRef } from '@rondo/domain';
import type { AgentHello, BundleStore, LogLine, LogStore } from '@rondo/ports';

export const anAttempt = (over: Partial<AttemptRef> = {}): AttemptRef => ({
  dagId: 'etl',
  runId: 'manual__1',
  taskId: 'extract',
  mapIndex: [],
  tryNumber: 1,
  leg: 1,
  ...over,
});

export const aHello = (over: Partial<AgentHello> = {}): AgentHello => ({
  worker: 'w1',
  boot: 'b1',
  release: '1',
  slots: 4,
  queues: ['*'],
  labels: {},
  executor: 'local',
  interrupted: [],
  journalIntact: true,
  draining: false,
  ...over,
});

/** As far as a session is concerned, an assignment is JSON. */
export const anAssignment = (id: string, input = ''): Assignment =>
  ({
    id,
    attempt: anAttempt({ taskId: id }),
    inputs: { extract: { value: input } },
    maxTries: 1,
  }) as unknown as Assignment;

export interface RecordingLogs extends LogStore {
  readonly stored: LogLine[];
  readonly attempts: AttemptRef[];
  /** The next append fails. */
  failNext(message: string): void;
  /** Appends wait until the function that this returns is called. */
  hang(): () => void;
}

export function recordingLogs(): RecordingLogs {
  const stored: LogLine[] = [];
  const attempts: AttemptRef[] = [];
  let failure: string | undefined;
  let gate: Promise<void> = Promise.resolve();
  const unused = (): never => {
    throw new Error('sessions only append');
  };
  return {
    stored,
    attempts,
    failNext: (message) => (failure = message),
    hang: () => {
      let release!: () => void;
      gate = new Promise((resolve) => (release = resolve));
      return release;
    },
    append: async (attempt, lines) => {
      const message = failure;
      failure = undefined;
      if (message !== undefined) throw new Error(message);
      await gate;
      stored.push(...lines);
      attempts.push(attempt);
    },
    read: async (_attempt, fromLine = 0, limit = 10) => {
      const lines = stored.slice(fromLine, fromLine + limit);
      return { lines, next: fromLine + lines.length };
    },
    follow: unused,
    deleteRun: () => Promise.resolve(),
    close: async () => undefined,
  };
}

/** Bundles as long as the process lives. */
export function memoryBundles(): BundleStore {
  const bundles = new Map<string, ReadonlyMap<string, Uint8Array>>();
  const hashOf = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
  const manifestOf = (files: ReadonlyMap<string, Uint8Array>) => ({
    files: Object.fromEntries([...files].map(([path, bytes]) => [path, hashOf(bytes)])),
  });
  return {
    putBundle: async (files) => {
      const hash = hashOf(JSON.stringify(manifestOf(files)));
      bundles.set(hash, new Map(files));
      return hash;
    },
    getManifest: async (hash) => {
      const files = bundles.get(hash);
      return files === undefined ? undefined : manifestOf(files);
    },
    readFile: async (hash, path) => bundles.get(hash)?.get(path),
    materialise: async () => {
      throw new Error('these bundles are in memory only');
    },
  };
}
