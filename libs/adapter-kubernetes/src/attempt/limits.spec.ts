import type { Pod } from '../api/objects.ts';
import { settingsOf } from '../options.ts';
import { Entry } from './entry.ts';
import { dueOf } from './limits.ts';

const settings = settingsOf({ installation: 'i', gateways: ['g:1'], startLimitMs: 600, silenceMs: 900, orphanMs: 300 });
const LEASE_MS = 120;
const attempt = { dagId: 'd', runId: 'r', taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 };
const pod = (metadata: Partial<Pod['metadata']> = {}): Pod => ({ metadata: { name: 'p', ...metadata } });

/** Known since 0. */
function entry(change: Partial<Entry>): Entry {
  const made = new Entry({ id: 'd:r:t:1.1', attempt, partition: 0, generation: 1 }, 'p', 0);
  const assignment = {} as Entry['assignment'];
  return Object.assign(made, { pod: pod(), assignment }, change);
}
const dueAt = (now: number, change: Partial<Entry>): string | undefined => {
  const due = dueOf(entry(change), settings, LEASE_MS, now);
  if (due === undefined) return undefined;
  const { report, andDelete } = due;
  const what = report.kind === 'lost' ? 'lost' : (report.outcome as { error: { type?: string; kind: string } }).error;
  return `${typeof what === 'string' ? what : (what.type ?? what.kind)}${andDelete ? ', deleted' : ''}`;
};

const long = new Date(0).toISOString();
const now = (): string => new Date().toISOString();

describe('what is due of an attempt', () => {
  it.each<[string, number, Partial<Entry>, string | undefined]>([
    ['its pod is being made, however long that takes', 9_999, { pod: undefined }, undefined],
    ['its pod has not started yet', 599, {}, undefined],
    ['its pod has not started for too long', 600, {}, 'NotStarted, deleted'],
    [
      'its image cannot be had',
      600,
      { stuck: { reason: 'ErrImagePull', message: '', isFinal: false } },
      'ErrImagePull, deleted',
    ],
    [
      'its image cannot be had, for now',
      599,
      { stuck: { reason: 'ErrImagePull', message: '', isFinal: false } },
      undefined,
    ],
    [
      'its image has no name',
      0,
      { stuck: { reason: 'InvalidImageName', message: '', isFinal: true } },
      'InvalidImageName, deleted',
    ],
    ['it runs and is heard of', 10_000, { isRunning: true, mayHaveBegun: true, heardAt: 9_101 }, undefined],
    ['it runs and is not heard of', 10_000, { isRunning: true, mayHaveBegun: true, heardAt: 9_100 }, 'lost, deleted'],
    ['nobody wants it begun', 300, { assignment: undefined }, 'lost, deleted'],
    ['nobody has wanted it begun for a while', 299, { assignment: undefined }, undefined],
    [
      'it was begun before anybody here knew of it',
      500,
      { assignment: undefined, mayHaveBegun: true, isRunning: true, heardAt: 499 },
      undefined,
    ],
    ['its pod is gone before it began', 0, { unseen: 'gone' }, 'lost'],
    // I3: another may only begin when this one's worker has ended it.
    ['its pod is gone, and its worker may live', 119, { unseen: 'gone', mayHaveBegun: true }, undefined],
    ['its pod is gone, and its lease is over', 120, { unseen: 'gone', mayHaveBegun: true }, 'lost'],
    [
      'its pod is gone as it was to be',
      120,
      { unseen: 'gone', mayHaveBegun: true, cancelled: { reason: 'r', deleteAt: 0 } },
      'cancelled',
    ],
    [
      'its pod is being ended',
      10_000,
      { pod: pod({ deletionTimestamp: now() }), mayHaveBegun: true, isRunning: true },
      undefined,
    ],
    [
      'its pod is to be ended, and its node says nothing',
      120,
      { pod: pod({ deletionTimestamp: long }), mayHaveBegun: true, isRunning: true },
      'lost',
    ],
    [
      'its node says nothing, and its worker is heard',
      119,
      { pod: pod({ deletionTimestamp: long }), mayHaveBegun: true, isRunning: true },
      undefined,
    ],
    ['its pod is deleted before it started', 0, { pod: pod({ deletionTimestamp: now() }) }, 'lost'],
    [
      'it is cancelled and ends',
      9_999,
      { cancelled: { reason: 'r', deleteAt: 0 }, mayHaveBegun: true, isRunning: true },
      undefined,
    ],
    ['its end is being read', 9_999, { isConcluding: true }, undefined],
  ])('when %s', (_, at, change, expected) => {
    expect(dueAt(at, change)).toBe(expected);
  });
});
