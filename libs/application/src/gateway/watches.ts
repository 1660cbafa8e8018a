import { parseAttemptId } from '@rondo/domain';
import type { SchedulerMessage } from '@rondo/contracts';
import type { WatchAssignment, WorkerReport } from '@rondo/ports';
import type { Link } from './links.ts';
import type { Places } from './places.ts';

type Waited = Extract<WorkerReport, { kind: 'waited' }>;

interface OpenWatch {
  readonly watch: WatchAssignment;
  readonly partition: number;
  /** Undefined: no worker has it yet. */
  link: Link | undefined;
}

/**
 * Waits that the workers' triggerers answer. They take no slot, so all of them are with workers at once, those of one bundle
 * with one; a worker that says hello again is told them all. Its state is soft (I2): a scheduler states its open waits again.
 */
export class Watches {
  private readonly places: Places;
  private readonly open = new Map<string, OpenWatch>();
  private fresh: string[] = [];

  constructor(places: Places) {
    this.places = places;
  }

  /** I1: one that is known is dropped. */
  onWatch(watch: WatchAssignment, partition: number): void {
    if (this.open.has(watch.id)) return;
    this.open.set(watch.id, { watch, partition, link: undefined });
    this.fresh.push(watch.id);
  }

  /** Ones that have come since the last call go to their workers together. */
  flush(): void {
    if (this.fresh.length === 0) return;
    const { fresh } = this;
    this.fresh = [];
    this.place(fresh.flatMap((id) => this.open.get(id) ?? []));
  }

  onUnwatch(ids: readonly string[]): void {
    const told = new Map<Link, string[]>();
    for (const id of ids) {
      const link = this.open.get(id)?.link;
      this.open.delete(id);
      if (link !== undefined) add(told, link, id);
    }
    for (const [link, known] of told) link.send({ kind: 'unwatch', ids: known });
  }

  /** A worker takes orders, anew or for the first time. */
  onReady(ready: Link): void {
    this.place([...this.open.values()].filter(({ link }) => link === undefined || link === ready));
  }

  /** They are another gateway's, which may have them with the same worker: it is told nothing. */
  drop(partition: number): void {
    for (const [id, each] of this.open) if (each.partition === partition) this.open.delete(id);
  }

  onGone(gone: Link): void {
    const moved = [...this.open.values()].filter(({ link }) => link === gone);
    for (const each of moved) each.link = undefined;
    this.place(moved);
  }

  /** The message to the scheduler; undefined for what nobody waits for. Its answer may be lost: then it is stated again. */
  onWaited({ id, at, answer }: Waited): Extract<SchedulerMessage, { kind: 'waited' }> | undefined {
    const attempt = this.open.get(id)?.watch.assignment.attempt ?? parseAttemptId(id);
    this.open.delete(id);
    return attempt === undefined ? undefined : { kind: 'waited', dagId: attempt.dagId, attempt: id, at, answer };
  }

  private place(watches: readonly OpenWatch[]): void {
    const told = new Map<Link, WatchAssignment[]>();
    for (const each of watches) {
      each.link ??= this.places.of(each.watch.assignment);
      if (each.link !== undefined) add(told, each.link, each.watch);
    }
    for (const [link, list] of told) link.send({ kind: 'watch', watches: list });
  }
}

function add<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
