import type { BackfillCreatedData } from '@rondo/domain';
import type { NewEvent, RecordedEvent } from '@rondo/ports';
import { RANDOM_VERSION, RandomRun, type Emit } from './random-run.ts';

export { RANDOM_DAG_VERSION, RANDOM_DEFINITION, RANDOM_VERSION, RANDOM_VERSION_BYTES } from './random-run.ts';

export interface HistoryEvent {
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
  /** When it occurred, epoch milliseconds. */
  readonly at: number;
}

/** The same numbers for the same seed, from 0 up to 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** As a store would have recorded them; positions have gaps, as they may. */
export function record(history: readonly HistoryEvent[]): RecordedEvent[] {
  const revisions = new Map<string, number>();
  return history.map(({ stream, type, data, at }, index) => {
    const revision = revisions.get(stream) ?? 0;
    revisions.set(stream, revision + 1);
    const meta = JSON.stringify({ prev: '', at });
    return { position: index * 3 + 1, stream, revision, id: `${index}`, type, data: JSON.stringify(data), meta };
  });
}

/** As they are handed to a store, each with an id of its own. */
export function toNewEvent({ type, data, at }: HistoryEvent): NewEvent {
  return { id: crypto.randomUUID(), type, data: JSON.stringify(data), meta: JSON.stringify({ at }) };
}

/**
 * A history of some runs of one DAG, interleaved, in which every event is one that may follow the events before it; and
 * of variables, connections, pools and DAG files between them. What happens is up to the seed, not to any trigger rule.
 */
export function randomHistory(seed: number, length: number, runs = 3, withMapped = true): HistoryEvent[] {
  const random = seededRandom(seed);
  const out: HistoryEvent[] = [];
  let now = 1_700_000_000_000;
  const emit = (stream: string, type: string, data: object): void => {
    now += Math.floor(random() * 1_000);
    out.push({ stream, type, data: 'at' in data ? { ...data, at: now } : data, at: now });
  };
  const scheduling = {
    timetable: { kind: 'none' },
    timezone: 'UTC',
    catchup: false,
    maxActiveRuns: 16,
    maxConsecutiveFailedDagRuns: 0,
    isPausedUponCreation: true,
  };
  emit('dag-random', 'DagVersionPublished', { version: RANDOM_VERSION, file: 'random.ts', bundle: 'b', scheduling });
  emit('dag-random', 'BackfillCreated', RANDOM_BACKFILL);
  const live = Array.from({ length: runs }, (_, index) => new RandomRun(`run:${index}`, random, emit, withMapped));
  while (out.length < length) {
    if (random() < 0.08) emitAdmin(random, emit);
    else live[Math.floor(random() * live.length)]!.step();
  }
  return out;
}

const RANDOM_BACKFILL: BackfillCreatedData = {
  ...{ backfillId: 1, at: 0, from: 0, to: 10, timetable: { kind: 'once' }, dates: 9, maxActiveRuns: 2 },
  ...{ reprocess: 'failed', reverse: true, conf: { n: 1 }, only: ['first'] },
};

function emitBackfill(random: () => number, emit: Emit): void {
  const ordinal = 1 + Math.floor(random() * 9);
  const runId = random() < 0.5 ? {} : { runId: 'run:0' };
  const dates = [{ ordinal, logicalDate: ordinal, reason: 'already exists', ...runId }];
  if (random() < 0.5) emit('dag-random', 'BackfillDatesPassed', { backfillId: 1, dates });
  else emit('dag-random', random() < 0.5 ? 'BackfillPaused' : 'BackfillResumed', { backfillId: 1 });
}

function emitAdmin(random: () => number, emit: Emit): void {
  const n = Math.floor(random() * 3);
  const sealed = { alg: 'A256GCM', kid: '0', box: `${random()}` };
  const kinds: readonly (() => void)[] = [
    () => emit(`variable-k${n}`, 'VariableSet', { key: `k${n}`, value: sealed }),
    () => emit(`variable-k${n}`, 'VariableDeleted', { key: `k${n}` }),
    () => emit(`connection-c${n}`, 'ConnectionSet', { connId: `c${n}`, connType: 'http', host: 'h', sealed }),
    () => emit(`connection-c${n}`, 'ConnectionDeleted', { connId: `c${n}` }),
    () => emit(`pool-p${n}`, 'PoolSet', { name: `p${n}`, slots: n - 1, includeDeferred: false }),
    () => emit(`pool-p${n}`, 'PoolDeleted', { name: `p${n}` }),
    () =>
      emit(`imports-f${n}.ts`, 'DagFileFailed', {
        file: `f${n}.ts`,
        failures: [{ file: `f${n}.ts`, message: 'unexpected token', line: n + 1 }],
      }),
    () =>
      emit(`imports-f${n}.ts`, 'DagFileLoaded', {
        file: `f${n}.ts`,
        dagIds: ['random'],
        files: [`f${n}.ts`],
        fingerprint: '0',
      }),
    () => emit('dag-random', random() < 0.5 ? 'DagPaused' : 'DagUnpaused', {}),
    () => emitBackfill(random, emit),
  ];
  kinds[Math.floor(random() * kinds.length)]!();
}
