import { TOPICS, type Actor, type CommandBus, type RunsWanted } from '@rondo/contracts';
import type { Consumer, Ids, MessageBus, WorkerSession } from '@rondo/ports';

export interface TimetableAskerOptions {
  readonly bus: MessageBus;
  readonly session: Pick<WorkerSession, 'parse'>;
  readonly commands: CommandBus;
  readonly ids: Ids;
  /** The DAG folder. */
  readonly root: string;
  /** The bundle of a version: its code is asked then, instead of what is in the folder. */
  readonly bundleOf?: (version: string) => Promise<string>;
}

const ACTOR: Actor = { kind: 'service', name: 'dag-source' };

/**
 * Asks timetables that are code of their authors' own for the runs to come, in a worker's child: it may throw, loop or run out of
 * memory there. The scheduler is told what came of it, and asks again in its own time.
 */
export class TimetableAsker {
  private readonly options: TimetableAskerOptions;
  private readonly asking = new Set<Promise<void>>();
  private consumer: Consumer | undefined;
  private stopped = false;

  constructor(options: TimetableAskerOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.consumer = await this.options.bus.consume<RunsWanted>({
      topic: TOPICS.timetablesWanted,
      group: 'rondo-dag-source',
      // Nobody waits for the answers: a timetable that takes long holds up no other.
      onBatch: (messages) => {
        for (const { value } of messages) this.begin(value);
      },
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.consumer?.close();
    await Promise.allSettled(this.asking);
  }

  private begin(wanted: RunsWanted): void {
    // What is lost here is asked for again when the DAG is next loaded.
    const done = this.ask(wanted)
      .catch(() => undefined)
      .finally(() => this.asking.delete(done));
    this.asking.add(done);
  }

  private async ask({ dagId, version, file, query }: RunsWanted): Promise<void> {
    const { session, commands, ids, root, bundleOf } = this.options;
    const from = bundleOf === undefined ? { root } : { root, bundle: await bundleOf(version) };
    const { told, errors } = await session.parse({ id: ids.uuid(), ...from, file, timetable: { dagId, query } });
    if (this.stopped) return;
    const command =
      told === undefined
        ? ({ type: 'failTimetable', version, error: errors[0]?.message ?? 'it told nothing' } as const)
        : ({ type: 'tellRuns', version, after: query.last, ...told } as const);
    await commands.send({ dagId, actor: ACTOR, command });
  }
}
