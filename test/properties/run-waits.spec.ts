import type { RunWait } from '@rondo/domain';
import type { RecordedEvent } from '@rondo/ports';
import { aDefinition, aTask, memoryEventStore } from '@rondo/testing';
import fc from 'fast-check';
import { Node } from '../application/harness.ts';
import { effort, seed } from './effort.ts';

type Action =
  | { readonly kind: 'trigger'; readonly run: number }
  | { readonly kind: 'finish'; readonly pick: number; readonly ok: boolean }
  | { readonly kind: 'clear'; readonly run: number; readonly task: number }
  | { readonly kind: 'mark'; readonly run: number; readonly task: number; readonly state: 'success' | 'failed' }
  | { readonly kind: 'wait'; readonly run: number; readonly tasks: readonly string[]; readonly fails: boolean }
  | { readonly kind: 'restart' };

const TASKS = ['a', 'b', 'c'];
const run = fc.integer({ min: 0, max: 1 });
const task = fc.integer({ min: 0, max: 2 });
const of = <K extends Action['kind'], T extends object>(
  kind: K,
  fields: { readonly [P in keyof T]: fc.Arbitrary<T[P]> },
) => fc.record({ kind: fc.constant(kind), ...fields } as never) as unknown as fc.Arbitrary<Action>;
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: of('trigger', { run }) },
  { weight: 8, arbitrary: of('finish', { pick: fc.nat(), ok: fc.integer({ min: 0, max: 3 }).map((n) => n > 0) }) },
  { weight: 2, arbitrary: of('clear', { run, task }) },
  { weight: 2, arbitrary: of('mark', { run, task, state: fc.constantFrom('success', 'failed') }) },
  { weight: 5, arbitrary: of('wait', { run, tasks: fc.subarray(TASKS), fails: fc.boolean() }) },
  { weight: 1, arbitrary: of('restart', {}) },
);

/** A DAG whose runs go on, fail, are cleared and marked, and another whose tasks wait for it, on a scheduler that may be gone. */
class World {
  readonly store = memoryEventStore();
  readonly waits = new Map<string, RunWait>();
  node = new Node(this.store);

  async play(actions: readonly Action[]): Promise<void> {
    await this.start(this.node);
    const upstream = { b: ['a'], c: ['a'] } as Readonly<Record<string, string[]>>;
    await this.node.publish(
      aDefinition(
        'o',
        TASKS.map((id) => aTask(id, { upstream: upstream[id] ?? [] })),
      ),
    );
    await this.node.publish(aDefinition('w', [aTask('t')]));
    for (const each of actions) await this.act(each);
    await this.quiet();
    await this.node.crash();
  }

  private async start(node: Node): Promise<void> {
    node.worker.hello = { ...node.worker.hello, slots: 100 };
    node.worker.outcome = ({ attempt: { dagId, runId } }) => {
      const wait = dagId === 'w' ? this.waits.get(runId) : undefined;
      return wait === undefined ? undefined : { kind: 'defer', wait };
    };
    this.node = await node.start();
  }

  private async act(each: Action): Promise<void> {
    const { node } = this;
    switch (each.kind) {
      case 'trigger':
        await node.send('o', { type: 'triggerRun', runType: 'manual', triggeredBy: 'user', runId: `r${each.run}` });
        return;
      case 'finish': {
        const open = [...node.worker.assigned.keys()].filter((id) => id.startsWith('o:'));
        const error = { kind: 'exception', message: 'no' } as const;
        if (open.length > 0)
          node.worker.finish(
            open[each.pick % open.length]!,
            each.ok ? { kind: 'success' } : { kind: 'failed', error, retryable: false },
          );
        return;
      }
      case 'clear':
        await node.send('o', {
          type: 'clearTasks',
          runId: `r${each.run}`,
          selection: { taskIds: [TASKS[each.task]!] },
        });
        return;
      case 'mark': {
        const selection = { taskIds: [TASKS[each.task]!] };
        await node.send('o', { type: 'markTasks', runId: `r${each.run}`, selection, state: each.state });
        return;
      }
      case 'wait': {
        const runId = `w${this.waits.size}`;
        this.waits.set(runId, {
          kind: 'run',
          dagId: 'o',
          runId: `r${each.run}`,
          ...(each.tasks.length === 0 ? {} : { taskIds: each.tasks }),
          allowedStates: ['success'],
          failedStates: each.fails ? ['failed'] : [],
        });
        await node.trigger('w', { runId });
        return;
      }
      case 'restart':
        await node.crash();
        await this.start(new Node(this.store, node.blobs));
    }
  }

  /** Nothing has been written for a while. */
  private async quiet(): Promise<void> {
    for (let still = 0, head = -1; still < 8; still++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (this.store.events.length !== head) still = 0;
      head = this.store.events.length;
    }
  }
}

/** The states of a run and its tasks as its events tell them, up to a position. */
function naiveStates(events: readonly RecordedEvent[], runId: string, upTo: number): ReadonlyMap<string, string> {
  const states = new Map<string, string>();
  for (const { stream, type, data, position } of events) {
    if (position > upTo) break;
    const body = JSON.parse(data) as {
      taskId?: string;
      runId?: string;
      state?: string;
      instances?: { taskId: string }[];
    };
    if (stream === 'dag-o' && body.runId === runId) states.set('', type === 'RunClosed' ? body.state! : 'open');
    if (stream !== `dagRun-o:${runId}`) continue;
    const named = body.instances?.map((each) => each.taskId) ?? (body.taskId === undefined ? [] : [body.taskId]);
    for (const id of named) {
      if (type === 'TaskSucceeded') states.set(id, 'success');
      else if (type === 'TaskFailed') states.set(id, 'failed');
      else if (type === 'TaskMarked') states.set(id, body.state!);
      else if (type === 'TaskUpstreamFailed') states.set(id, 'upstream_failed');
      else if (/^Task(Cleared|Scheduled|Queued|Started)$/.test(type)) states.set(id, 'open');
    }
  }
  return states;
}

const isMet = (wait: RunWait, states: ReadonlyMap<string, string>): boolean =>
  (wait.taskIds ?? ['']).every((id) => states.get(id) === 'success');
const isFailed = (wait: RunWait, states: ReadonlyMap<string, string>): boolean =>
  wait.failedStates.length > 0 && (wait.taskIds ?? ['']).some((id) => states.get(id) === 'failed');

describe(`tasks that wait for a DAG which lives on (seed ${seed})`, () => {
  it('are answered when it is as they want it, and by nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 30 }), async (actions) => {
        const world = new World();
        await world.play(actions);
        const { events } = world.store;
        for (const [runId, wait] of world.waits) {
          const own = events.filter(({ stream }) => stream === `dagRun-w:${runId}`);
          const begun = own.find(({ type }) => type === 'TaskDeferred');
          const met = own.find(({ type }) => type === 'TaskSucceeded');
          const failed = own.find(({ type }) => type === 'TaskFailed');
          if (begun === undefined) continue;
          if (met !== undefined) {
            const { consumed } = JSON.parse(met.data) as { readonly consumed: number };
            expect(isMet(wait, naiveStates(events, wait.runId!, consumed))).toBe(true);
          } else if (failed === undefined) {
            const last = naiveStates(events, wait.runId!, Infinity);
            expect({ isMet: isMet(wait, last), isFailed: isFailed(wait, last) }).toEqual({
              isMet: false,
              isFailed: false,
            });
          } else {
            const seen = events.filter(({ position }) => position < failed.position);
            expect(seen.some(({ position }) => isFailed(wait, naiveStates(events, wait.runId!, position)))).toBe(true);
          }
        }
      }),
      { numRuns: 30 * effort, seed },
    );
  });
});
