import { parseAttemptId } from '@rondo/domain';
import type { SchedulerMessage } from '@rondo/contracts';
import type { WatchAssignment, WorkerReport, WorkerSession } from '@rondo/ports';

type Waited = Extract<WorkerReport, { kind: 'waited' }>;

/**
 * Waits that the worker's triggerer answers. They take no slot, so all of them are with the worker at once; a worker that
 * says hello again is told them all. Its state is soft (I2): a scheduler states its open waits again.
 */
export class Watches {
  private readonly session: WorkerSession;
  private readonly open = new Map<string, WatchAssignment>();
  private fresh: WatchAssignment[] = [];

  constructor(session: WorkerSession) {
    this.session = session;
  }

  /** I1: one that is known is dropped. */
  onWatch(watch: WatchAssignment): void {
    if (this.open.has(watch.id)) return;
    this.open.set(watch.id, watch);
    this.fresh.push(watch);
  }

  /** Ones that have come since the last call go to the worker together. */
  flush(): void {
    const fresh = this.fresh.filter(({ id }) => this.open.has(id));
    this.fresh = [];
    if (fresh.length > 0) this.session.watch(fresh);
  }

  onUnwatch(ids: readonly string[]): void {
    const known = ids.filter((id) => this.open.delete(id));
    if (known.length > 0) this.session.unwatch(known);
  }

  onHello(): void {
    if (this.open.size > 0) this.session.watch([...this.open.values()]);
  }

  /** The message to the scheduler; undefined for what nobody waits for. Its answer may be lost: then it is stated again. */
  onWaited({ id, at, answer }: Waited): Extract<SchedulerMessage, { kind: 'waited' }> | undefined {
    const attempt = this.open.get(id)?.assignment.attempt ?? parseAttemptId(id);
    this.open.delete(id);
    return attempt === undefined ? undefined : { kind: 'waited', dagId: attempt.dagId, attempt: id, at, answer };
  }
}
