import type { DagDefinition } from '@rondo/domain';
import type { EventStore, Position, ReadModels, RecordedEvent } from '@rondo/ports';
import { RunFold, type RunView } from '@rondo/projections';
import type { Definitions } from './definitions.ts';

/**
 * The events of one run in order of position: those of its own stream, and those of its DAG's stream that speak of it.
 * Views at rising positions go on from one another, so that walking through a run costs about as much as folding it once.
 */
export class Timeline {
  private readonly dagId: string;
  private readonly runId: string;
  private readonly eventStore: EventStore;
  private readonly readModels: ReadModels;
  private readonly definitions: Definitions;
  private readonly all: RecordedEvent[] = [];
  /** Everything up to here is in memory. */
  private through: Position = 0;
  private nextRevision = 0;
  private readonly versions = new Map<string, DagDefinition | undefined>();
  private fold: RunFold;
  private folded = 0;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(dagId: string, runId: string, eventStore: EventStore, readModels: ReadModels, definitions: Definitions) {
    this.dagId = dagId;
    this.runId = runId;
    this.eventStore = eventStore;
    this.readModels = readModels;
    this.definitions = definitions;
    this.fold = new RunFold(dagId, runId);
  }

  get size(): number {
    return this.all.length;
  }

  /** The run as it was at the position; undefined before it was asked for. */
  viewAt(position: Position): Promise<RunView | undefined> {
    return this.inTurn(position, () => {
      this.foldTo(position);
      return this.fold.view();
    });
  }

  /** A fold of its own of everything up to the position, for somebody who goes on with it. */
  foldAt(position: Position): Promise<RunFold> {
    return this.inTurn(position, () => {
      const fold = new RunFold(this.dagId, this.runId);
      for (const event of this.all) if (event.position <= position) fold.apply(event, this.definitionOf(event));
      return fold;
    });
  }

  /** The events up to the position. */
  eventsTo(position: Position): Promise<readonly RecordedEvent[]> {
    return this.inTurn(position, () => this.all.filter((event) => event.position <= position));
  }

  private inTurn<T>(position: Position, work: () => T): Promise<T> {
    const next = this.turn.then(async () => {
      if (position > this.through) await this.load(position);
      return work();
    });
    this.turn = next.catch(() => undefined);
    return next;
  }

  private async load(position: Position): Promise<void> {
    await this.readModels.settled(position);
    const upTo = Math.max(position, await this.readModels.position());
    const fresh = await this.dagEvents(upTo);
    const stream = `dagRun-${this.dagId}:${this.runId}`;
    for await (const page of this.eventStore.readStream(stream, { from: this.nextRevision, upTo })) {
      fresh.push(...page);
      this.nextRevision = page.at(-1)!.revision + 1;
    }
    for (const event of fresh) {
      const version = versionNamedBy(event);
      if (version !== undefined) this.versions.set(version, (await this.definitions.get(version))?.definition);
    }
    this.all.push(...fresh.toSorted((a, b) => a.position - b.position));
    this.through = upTo;
  }

  /** The read models know where in the DAG's stream the run is spoken of; neighbours are read in one page. */
  private async dagEvents(upTo: Position): Promise<RecordedEvent[]> {
    const revisions = await this.readModels.dagRevisions(this.dagId, this.runId);
    const found: RecordedEvent[] = [];
    for (let at = 0; at < revisions.length;) {
      let end = at + 1;
      while (end < revisions.length && revisions[end] === revisions[end - 1]! + 1) end++;
      const range = { from: revisions[at]!, limit: end - at, upTo };
      for await (const page of this.eventStore.readStream(`dag-${this.dagId}`, range)) found.push(...page);
      at = end;
    }
    return found.filter((event) => event.position > this.through);
  }

  private definitionOf(event: RecordedEvent): DagDefinition | undefined {
    const version = versionNamedBy(event);
    return version === undefined ? undefined : this.versions.get(version);
  }

  private foldTo(position: Position): void {
    if (this.folded > 0 && this.all[this.folded - 1]!.position > position) {
      this.fold = new RunFold(this.dagId, this.runId);
      this.folded = 0;
    }
    for (
      let event = this.all[this.folded];
      event !== undefined && event.position <= position;
      event = this.all[this.folded]
    ) {
      this.fold.apply(event, this.definitionOf(event));
      this.folded++;
    }
  }
}

/** The version whose definition the event's fold looks at. */
export function versionNamedBy({ type, stream, data }: RecordedEvent): string | undefined {
  if (!stream.startsWith('dagRun-') || (type !== 'RunStarted' && type !== 'RunVersionChanged')) return undefined;
  return (JSON.parse(data) as { readonly version: string }).version;
}
