import { evolveWorker, mayHaveAttempts, UNKNOWN_WORKER, workerStateOf, type WorkerStand } from './worker-stand.ts';
import type { WorkerEvent } from './events.ts';

const LEASE = 1_000;
const about = { release: '1', slots: 1, queues: [], labels: {}, executor: 'local' };
const joined = (boot: string): WorkerEvent => ({ type: 'WorkerJoined', data: { worker: 'w', boot, ...about, at: 0 } });
const left = (boot: string, at: number, isDone: boolean): WorkerEvent => ({
  type: 'WorkerLeft',
  data: { worker: 'w', boot, at, reason: '', isDone },
});
const draining = (boot?: string, at = 0): WorkerEvent => ({
  type: 'WorkerDraining',
  data: { worker: 'w', at, ...(boot === undefined ? {} : { boot }) },
});
const stand = (...events: readonly WorkerEvent[]): WorkerStand => events.reduce(evolveWorker, UNKNOWN_WORKER);

describe('whether a worker may have attempts', () => {
  it.each([
    ['nobody knows it', [], 0, false],
    ['it has joined', [joined('1')], 1e9, true],
    ['it was done when it left', [joined('1'), left('1', 0, true)], 1, false],
    ['a gateway has given it up, less than two leases ago', [joined('1'), left('1', 0, false)], 1_999, true],
    ['a gateway has given it up, longer ago', [joined('1'), left('1', 0, false)], 2_000, false],
    ['an earlier process has left', [joined('1'), joined('2'), left('1', 0, true)], 1e9, true],
    ['it has joined again', [joined('1'), left('1', 0, false), joined('1')], 1e9, true],
  ] as const)('%s', (_name, events, now, expected) => {
    expect(mayHaveAttempts(stand(...events), now, LEASE)).toBe(expected);
  });
});

it('a worker drains until another process of it joins, from when it was first told to', () => {
  expect(stand(joined('1'), draining(undefined, 3)).drainingSince).toBe(3);
  expect(stand(joined('1'), draining('1', 3), draining('1', 5), joined('1')).drainingSince).toBe(3);
  expect(stand(joined('1'), draining('2', 3)).drainingSince).toBeUndefined();
  expect(stand(joined('1'), draining(undefined, 3), joined('2')).drainingSince).toBeUndefined();
});

it.each([
  [undefined, []],
  ['active', [joined('1')]],
  ['draining', [joined('1'), draining('1')]],
  ['left', [joined('1'), draining('1'), left('1', 0, true)]],
  ['lost', [joined('1'), left('1', 0, false)]],
  ['left', [joined('1'), left('1', 0, false), left('1', 1, true)]],
  ['active', [joined('1'), left('1', 0, false), joined('1')]],
  ['draining', [joined('1'), draining('1'), left('1', 0, false), joined('1')]],
] as const)('a worker is %s', (state, events) => {
  expect(workerStateOf(stand(...events))).toBe(state);
});
