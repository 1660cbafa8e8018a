import type { RunWait, WaitAnswer } from '@rondo/domain';
import type { Clock, EventStore, Position } from '@rondo/ports';
import type { ActorLoader } from '../scheduler/actors.ts';
import { AwaitedDag } from './awaited-dag.ts';

export interface RunWaitsOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly loader: ActorLoader;
  readonly onAnswer: (id: string, answer: WaitAnswer, position: Position) => void;
  readonly onProblem: (message: string) => void;
}

/** Waits for runs and tasks of other DAGs: a DAG is followed while somebody waits for it. */
export class RunWaits {
  private readonly options: RunWaitsOptions;
  private readonly dags = new Map<string, AwaitedDag>();
  private readonly dagOf = new Map<string, AwaitedDag>();

  constructor(options: RunWaitsOptions) {
    this.options = options;
  }

  get size(): number {
    return this.dagOf.size;
  }

  /** A wait that is known is dropped (I1). */
  add(id: string, wait: RunWait): void {
    if (this.dagOf.has(id)) return;
    const dag = this.dags.get(wait.dagId) ?? this.follow(wait.dagId);
    this.dagOf.set(id, dag);
    dag.add(id, wait);
  }

  remove(id: string): void {
    const dag = this.dagOf.get(id);
    if (dag === undefined) return;
    this.dagOf.delete(id);
    if (!dag.remove(id)) return;
    this.dags.delete(dag.dagId);
    void dag.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(Array.from(this.dags.values(), (dag) => dag.stop()));
  }

  private follow(dagId: string): AwaitedDag {
    const { onAnswer } = this.options;
    const dag = new AwaitedDag(dagId, {
      ...this.options,
      onAnswer: (id, answer, position) => {
        this.remove(id);
        onAnswer(id, answer, position);
      },
    });
    this.dags.set(dagId, dag);
    return dag;
  }
}
