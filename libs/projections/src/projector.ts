import type { DagDefinition, DagEvent, DagRunEvent } from '@rondo/domain';
import { assertNever } from '@rondo/kernel';
import type {
  ConnectionRow,
  ImportErrorRow,
  PoolRow,
  Projector,
  RecordedEvent,
  RowChanges,
  RowSource,
  VariableRow,
} from '@rondo/ports';
import { connectionRow, importErrorRow, poolRow, variableRow } from './admin-fold.ts';
import { AssetFold } from './asset-fold.ts';
import { BackfillFold, isBackfillEvent } from './backfill-fold.ts';
import { foldDag, type DagItselfEvent, type DagRows } from './dag-fold.ts';
import { decodeEvent, occurredAt, type DecodedEvent } from './decode.ts';
import { applyDagEvent, applyRunEvent, isAboutRun, type DagRunsEvent } from './run-fold.ts';
import { RunCache } from './run-cache.ts';
import { RunPending } from './run-pending.ts';
import type { RunModel } from './run-model.ts';

/** Grows when the same history gives other rows. */
export const PROJECTION_VERSION = 3;

export function createProjector(source: RowSource): Projector {
  return new BatchProjector(source);
}

/** Definitions held in memory; beyond it they are read again. */
const MAX_DEFINITIONS = 500;

type DagDecoded = Extract<DecodedEvent, { kind: 'dag' }>;

/** Folds a whole batch over rows held in memory, so that each row is written once however often it moved. */
class BatchProjector implements Projector {
  private readonly source: RowSource;
  private readonly runs: RunCache;
  private readonly backfills: BackfillFold;
  private readonly assets: AssetFold;
  private readonly definitions = new Map<string, DagDefinition | undefined>();
  private dags: Map<string, DagRows> | undefined;
  /** Of runs that the batch restores: what their rows are made of again. */
  private readonly restored = new Map<DagDecoded, readonly DecodedEvent[]>();

  constructor(source: RowSource) {
    this.source = source;
    this.runs = new RunCache(source);
    this.backfills = new BackfillFold(source);
    this.assets = new AssetFold(source);
  }

  async project(events: readonly RecordedEvent[]): Promise<RowChanges> {
    const batch: DecodedEvent[] = [];
    for (const event of events) {
      const decoded = decodeEvent(event);
      if (decoded !== undefined) batch.push(decoded);
    }
    await this.prepare(batch);
    return this.fold(batch, await this.allDags());
  }

  /** Everything that the batch will look at is brought into memory first: folding itself waits for nothing. */
  private async prepare(batch: readonly DecodedEvent[]): Promise<void> {
    this.runs.evict();
    if (this.definitions.size > MAX_DEFINITIONS) this.definitions.clear();
    await this.runs.load(batch);
    await this.backfills.load(batch);
    await this.assets.load();
    await this.define(batch);
    this.restored.clear();
    for (const each of batch)
      if (each.kind === 'dag' && each.event.type === 'RunRestored') {
        const { dagId, recorded } = each;
        const events = await this.source.runEvents(dagId, each.event.data.runId, recorded.position);
        const decoded = events.map(decodeEvent).filter((event) => event !== undefined);
        await this.define(decoded);
        this.restored.set(each, decoded);
      }
  }

  private async define(events: readonly DecodedEvent[]): Promise<void> {
    for (const each of events) {
      const version = versionNamedBy(each) ?? this.versionMappedBy(each);
      if (version !== undefined && !this.definitions.has(version))
        this.definitions.set(version, await this.source.definition(version));
    }
  }

  /** The version of a run that was let go since it started, where its fold needs more than rows. */
  private versionMappedBy(each: DecodedEvent): string | undefined {
    if (each.kind !== 'run' || each.event.type !== 'TaskMapped') return undefined;
    return this.runs.find(each.dagId, each.runId)?.run.version ?? undefined;
  }

  private async allDags(): Promise<Map<string, DagRows>> {
    if (this.dags !== undefined) return this.dags;
    const versions = Map.groupBy(await this.source.dagVersions(), (version) => version.dagId);
    const dags = await this.source.dags();
    this.dags = new Map(dags.map((dag) => [dag.dagId, { dag, versions: versions.get(dag.dagId) ?? [] }]));
    return this.dags;
  }

  private fold(batch: readonly DecodedEvent[], dags: Map<string, DagRows>): RowChanges {
    const pending = new Map<RunModel, RunPending>();
    const movedDags = new Set<string>();
    const importErrors = new Map<string, ImportErrorRow | null>();
    const variables = new Map<string, VariableRow | null>();
    const connections = new Map<string, ConnectionRow | null>();
    const pools = new Map<string, PoolRow | null>();
    for (const each of batch) {
      switch (each.kind) {
        case 'run': {
          const model = this.runs.get(each.dagId, each.runId);
          this.foldRun(model, each.event, pendingOf(pending, model));
          break;
        }
        case 'dag':
          this.assets.applyDag(each.dagId, each.event, each.recorded.position, this.definitionOf(each.event));
          this.backfills.apply(each.dagId, each.event, occurredAt(each.recorded));
          if (isBackfillEvent(each.event)) break;
          if (isAboutRun(each.event)) this.foldDagRun(each, each.event, pending);
          else if (this.foldDagItself(each, each.event, dags)) movedDags.add(each.dagId);
          break;
        case 'import':
          importErrors.set(...importErrorRow(each.event, occurredAt(each.recorded)));
          break;
        case 'variable':
          variables.set(...variableRow(each.event));
          break;
        case 'connection':
          connections.set(...connectionRow(each.event));
          break;
        case 'pool':
          pools.set(...poolRow(each.event));
          break;
        case 'asset':
          this.assets.applyUpdate(each.event, each.recorded);
          break;
        case 'assetAlias':
          this.assets.applyAlias(each.event);
          break;
        default:
          assertNever(each, 'stream');
      }
    }
    const moved = [...movedDags].map((dagId) => dags.get(dagId)!);
    return {
      dags: moved.map((rows) => rows.dag),
      dagVersions: moved.flatMap((rows) => rows.versions),
      runs: [...pending].map(([model, changes]) => changes.changes(model.run.runNo)),
      ...this.backfills.changes(),
      ...this.assets.changes(),
      importErrors,
      variables,
      connections,
      pools,
    };
  }

  private foldRun(model: RunModel, event: DagRunEvent, pending: RunPending): void {
    const version = event.type === 'RunStarted' ? event.data.version : model.run.version;
    applyRunEvent(model, event, version === null ? undefined : this.definitions.get(version), pending);
  }

  /** The rows of its instances are made again. What its own row tells is right. */
  private restore(model: RunModel, events: readonly DecodedEvent[], pending: RunPending): void {
    const before = { ...model.run };
    for (const each of events) if (each.kind === 'run') this.foldRun(model, each.event, pending);
    Object.assign(model.run, before);
  }

  private foldDagRun(each: DagDecoded, event: DagRunsEvent, pending: Map<RunModel, RunPending>): void {
    const { dagId, recorded } = each;
    const at = occurredAt(recorded);
    const model =
      event.type === 'RunRequested'
        ? this.runs.add(dagId, event.data, at, recorded.position)
        : this.runs.get(dagId, event.data.runId);
    applyDagEvent(model, event, at, recorded.revision, pendingOf(pending, model));
    if (event.type === 'RunRestored') this.restore(model, this.restored.get(each) ?? [], pendingOf(pending, model));
    if (event.type === 'RunClosed' || event.type === 'RunReopened')
      this.runs.setClosed(dagId, event.data.runId, event.type === 'RunClosed');
  }

  private definitionOf(event: DagEvent): DagDefinition | undefined {
    return event.type === 'DagVersionPublished' ? this.definitions.get(event.data.version) : undefined;
  }

  private foldDagItself(each: DagDecoded, event: DagItselfEvent, dags: Map<string, DagRows>): boolean {
    const at = occurredAt(each.recorded);
    const next = foldDag(each.dagId, dags.get(each.dagId), event, at, this.definitionOf(event));
    if (next !== undefined) dags.set(each.dagId, next);
    return next !== undefined;
  }
}

/** The version whose definition the event's fold needs. */
function versionNamedBy(each: DecodedEvent): string | undefined {
  if (each.kind === 'run' && (each.event.type === 'RunStarted' || each.event.type === 'RunVersionChanged'))
    return each.event.data.version;
  if (each.kind === 'dag' && each.event.type === 'DagVersionPublished') return each.event.data.version;
  return undefined;
}

function pendingOf(pending: Map<RunModel, RunPending>, model: RunModel): RunPending {
  const known = pending.get(model);
  if (known !== undefined) return known;
  const made = new RunPending();
  pending.set(model, made);
  return made;
}
