import type { RunRequestedData } from '@rondo/domain';
import type { RowSource } from '@rondo/ports';
import type { DecodedEvent } from './decode.ts';
import { isAboutRun, requestedRun } from './run-fold.ts';
import { RunModel } from './run-model.ts';

/** Above this many instances in memory, the runs that the last batch did not touch are let go. */
const MAX_INSTANCES = 400_000;

/** Events that move no row of an instance. */
const RUN_ONLY: ReadonlySet<string> = new Set([
  'RunAdmitted',
  'RunReopened',
  'RunResumed',
  'RunTaken',
  'RunClosed',
  'RunArchiveBegun',
  'RunArchived',
  'RunSummaryRevised',
  'RunHeld',
  'RunReleased',
  'RunReprioritised',
  'RunNoted',
  'RunPastIgnored',
  'RunSucceeded',
  'RunFailed',
  'CallbackReported',
  'XComSet',
  'XComDeleted',
]);

interface Entry {
  readonly model: RunModel;
  /** The instances' rows are in memory too. */
  whole: boolean;
  closed: boolean;
  /** Instances as they were last counted. */
  counted: number;
}

/** The runs that are being folded: open ones, as long as there is room, and closed ones until they are written. */
export class RunCache {
  private readonly entries = new Map<string, Entry>();
  private readonly source: RowSource;
  /** Those that the last batch looked at, by their keys: work per batch is for them alone, however many are open. */
  private touched = new Map<string, Entry>();
  private instances = 0;

  constructor(source: RowSource) {
    this.source = source;
  }

  /** To be called between batches, when everything that was folded is written. */
  evict(): void {
    for (const [key, entry] of this.touched) {
      const { model, closed, counted } = entry;
      entry.counted = closed && model.ended ? 0 : model.instances.size;
      this.instances += entry.counted - counted;
      if (closed && model.ended) this.entries.delete(key);
    }
    if (this.instances <= MAX_INSTANCES) return;
    for (const [key, { counted }] of this.entries)
      if (!this.touched.has(key)) {
        this.entries.delete(key);
        this.instances -= counted;
      }
  }

  /** Brings in what the batch will ask for and nobody has in memory. */
  async load(batch: readonly DecodedEvent[]): Promise<void> {
    this.touched = new Map();
    const requested = new Set<string>();
    for (const each of batch) {
      if (each.kind === 'run') await this.want(each.dagId, each.runId, each.event.type, requested);
      if (each.kind === 'dag' && isAboutRun(each.event))
        await this.want(each.dagId, each.event.data.runId, each.event.type, requested);
    }
  }

  private async want(dagId: string, runId: string, type: string, requested: Set<string>): Promise<void> {
    const key = `${dagId}:${runId}`;
    if (requested.has(key)) return;
    if (type === 'RunRequested') {
      requested.add(key);
      return;
    }
    const entry = this.entries.get(key) ?? (await this.loadRun(dagId, runId, key));
    this.touched.set(key, entry);
    if (entry.whole || RUN_ONLY.has(type)) return;
    entry.model.adopt(await this.source.instances(entry.model.run.runNo));
    entry.whole = true;
  }

  private async loadRun(dagId: string, runId: string, key: string): Promise<Entry> {
    const run = await this.source.run(dagId, runId);
    if (run === undefined)
      throw new Error(`run '${runId}' of DAG '${dagId}' is in the history before it was requested`);
    const entry = { model: new RunModel({ ...run }), whole: false, closed: false, counted: 0 };
    this.entries.set(key, entry);
    return entry;
  }

  get(dagId: string, runId: string): RunModel {
    const model = this.find(dagId, runId);
    if (model === undefined) throw new Error(`run '${runId}' of DAG '${dagId}' was not loaded before its events`);
    return model;
  }

  find(dagId: string, runId: string): RunModel | undefined {
    return this.entries.get(`${dagId}:${runId}`)?.model;
  }

  add(dagId: string, data: RunRequestedData, at: number, runNo: number): RunModel {
    const model = new RunModel(requestedRun(dagId, data, at, runNo));
    const key = `${dagId}:${data.runId}`;
    const entry = { model, whole: true, closed: false, counted: this.entries.get(key)?.counted ?? 0 };
    this.entries.set(key, entry);
    this.touched.set(key, entry);
    return model;
  }

  setClosed(dagId: string, runId: string, closed: boolean): void {
    const entry = this.entries.get(`${dagId}:${runId}`);
    if (entry !== undefined) entry.closed = closed;
  }
}
