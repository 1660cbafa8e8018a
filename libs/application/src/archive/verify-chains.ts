import { prevOf } from '@rondo/contracts';
import type { ArchivedRun } from '@rondo/domain';
import type { EventStore, HistoryFault, HistoryReport, RecordedEvent } from '@rondo/ports';
import { runStream } from '../scheduler/envelope.ts';
import { hashOf } from './format.ts';

const MAX_FAULTS = 1_000;
const DAG = 'dag-';
/** Chained to nothing: a shortcut at most. */
const SNAPSHOT = 'snapshot-';

interface Link {
  readonly revision: number;
  readonly hash: string;
}

/** Where a stream goes on after events that are not there. */
interface Break {
  readonly from: number;
  readonly event: RecordedEvent;
}

/**
 * Goes through a whole history and checks the chain of each stream (I13). Events that are not there are faults, unless they were
 * archived: then the DAG tells the hash to which what is left is chained. A change of the last event of a stream is not seen by it.
 */
export async function verifyChains(store: Pick<EventStore, 'readAll'>): Promise<HistoryReport> {
  const check = new ChainCheck();
  for await (const page of store.readAll(0)) for (const event of page) check.add(event);
  return check.report();
}

class ChainCheck {
  private readonly heads = new Map<string, Link>();
  private readonly breaks = new Map<string, Break[]>();
  private readonly archived = new Map<string, ArchivedRun>();
  private readonly faults: HistoryFault[] = [];
  private events = 0;
  private head = 0;

  add(event: RecordedEvent): void {
    const { stream, revision, type, position } = event;
    if (stream.startsWith(SNAPSHOT)) return;
    this.events++;
    this.head = position;
    const before = this.heads.get(stream) ?? { revision: -1, hash: '' };
    if (revision !== before.revision + 1) this.breakAt(stream, { from: before.revision + 1, event });
    else if (prevOf(event.meta) !== before.hash)
      this.fault('changed', event, 'it was not chained to what is before it in its stream');
    this.heads.set(stream, { revision, hash: hashOf(event) });
    if (type !== 'RunArchived' || !stream.startsWith(DAG)) return;
    const run = JSON.parse(event.data) as ArchivedRun;
    this.archived.set(runStream(stream.slice(DAG.length), run.runId), run);
  }

  report(): HistoryReport {
    for (const [stream, breaks] of this.breaks) for (const each of breaks) this.judge(stream, each);
    for (const [stream, { before, runId }] of this.archived)
      if ((this.heads.get(stream)?.revision ?? -1) < before)
        this.gone(stream, before, `run '${runId}' is archived, and the event that was to stay is not there`);
    const { events, head, faults } = this;
    return { events, streams: this.heads.size, head, signedHeads: 0, faults };
  }

  private breakAt(stream: string, each: Break): void {
    const known = this.breaks.get(stream);
    if (known === undefined) this.breaks.set(stream, [each]);
    else known.push(each);
  }

  private judge(stream: string, { from, event }: Break): void {
    const run = this.archived.get(stream);
    if (run === undefined || event.revision > run.before)
      this.fault(
        'missing',
        event,
        `the events from revision ${from} on before it are not there, and no archive has them`,
      );
    else if (event.revision === run.before && prevOf(event.meta) !== run.hash)
      this.fault('changed', event, 'it was not chained to the last event of the archive');
  }

  private gone(stream: string, revision: number, message: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push({ kind: 'missing', stream, revision, position: 0, message });
  }

  private fault(kind: HistoryFault['kind'], { stream, revision, position }: RecordedEvent, what: string): void {
    const message = `event ${revision} of '${stream}' at position ${position}: ${what}`;
    if (this.faults.length < MAX_FAULTS) this.faults.push({ kind, stream, revision, position, message });
  }
}
