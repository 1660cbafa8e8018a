import { once } from 'node:events';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { DagRunRow, EventStore, ReadModels } from '@rondo/ports';
import { StateFeed, type StateChange } from '../events/state-feed.ts';
import type { Definitions } from '../history/definitions.ts';
import type { RunHistory } from '../history/run-history.ts';
import { HttpProblem } from '../http/problem.ts';
import { noRun } from '../runs/runs.service.ts';
import { messageOf } from './messages.ts';

export interface WatchPorts {
  readonly readModels: ReadModels;
  readonly eventStore: EventStore;
  readonly history: RunHistory;
  readonly definitions: Definitions;
}

interface RunName {
  readonly dagId: string;
  readonly runId: string;
}

type WatchCall = ServerWritableStream<unknown, unknown>;

const PAGE = 1_000;
const hasEnded = (run: { readonly state: string }): boolean => run.state === 'success' || run.state === 'failed';

/** Tells a run as it is, then what changes, as fast as it is taken, until the run has ended or `gone` is aborted. */
export async function watchRun(ports: WatchPorts, name: RunName, call: WatchCall, gone: AbortSignal): Promise<void> {
  const after = await ports.eventStore.head();
  await ports.readModels.settled(after);
  const run = await ports.readModels.run(name.dagId, name.runId);
  if (run === undefined) throw noRun(name.dagId, name.runId, undefined);
  const send = (change: Partial<StateChange>): Promise<unknown> | false =>
    !call.write(messageOf(change)) && once(call, 'drain', { signal: gone });
  await tellStand(ports, run, after, send);
  if (hasEnded(run)) return;
  const feed = new StateFeed(name, ports.history, ports.definitions);
  await new Promise<void>((resolve, reject) => {
    const subscription = ports.eventStore.subscribe({
      name: 'watch',
      after,
      filter: feed.streams,
      onBatch: async (events) => {
        for (const event of events) {
          if (gone.aborted) return;
          const told = await feed.tell(event);
          if (told?.kind !== 'state') continue;
          await send(told.data);
          if (told.data.run !== undefined && hasEnded(told.data.run)) return end();
        }
      },
      onDrop: () => reject(new HttpProblem(503, 'Unavailable', 'the history cannot be followed now: watch again')),
    });
    const end = (): void => {
      void subscription.stop();
      resolve();
    };
    gone.addEventListener('abort', end, { once: true });
    if (gone.aborted) end();
  });
}

async function tellStand(
  { readModels }: WatchPorts,
  run: DagRunRow,
  position: number,
  send: (change: Partial<StateChange>) => Promise<unknown> | false,
): Promise<void> {
  const { dagId, runId, state, reason, startedAt, endedAt } = run;
  for (let offset = 0; ; offset += PAGE) {
    const { items, total } = await readModels.taskInstances({ dagId, runId }, { offset, limit: PAGE });
    const tasks = items.filter((row) => row.state !== 'none');
    const first = offset === 0 ? { run: { state, reason, startedAt, endedAt } } : {};
    if (offset === 0 || tasks.length > 0)
      await send({
        position,
        type: '',
        ...first,
        tasks: tasks.map(({ taskId, mapIndex, state: stand, tryNumber }) => ({
          taskId,
          mapIndex,
          state: stand,
          tryNumber,
        })),
      });
    if (offset + PAGE >= total) return;
  }
}
