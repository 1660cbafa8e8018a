import { runsToClear } from '@rondo/domain';
import type { SchedulerMessage } from '@rondo/contracts';
import type { BlobStore, EventStore } from '@rondo/ports';
import { assetLeaves, assetsOf, type AssetLeaf, type DagState } from '@rondo/domain';
import type { AssetNews, AssetWatch } from './asset-watch.ts';
import type { RunKeyring } from '../erasure/keyring.ts';
import { keyIdOf } from '../erasure/tokens.ts';
import { ActorLoader, type Blame, type DagActor, type RunActor } from './actors.ts';
import { isRunCommand } from './commands.ts';
import { PlanCache } from './plans.ts';

export interface Prepared {
  readonly actor: DagActor;
  /** Runs over the latest version of the DAG, where a command asks for that and they have another. */
  readonly newer: ReadonlyMap<string, RunActor>;
  readonly news: AssetNews;
}

/** What a scheduler holds of its shards: DAGs, their open runs, compiled plans, and who is in quarantine. */
export class ShardMemory {
  readonly plans: PlanCache;
  /** Runs (`dagId:runId`) that are out of the shard's work because their decision kept failing, with the reason. */
  readonly quarantined = new Map<string, string>();
  readonly loader: ActorLoader;
  private readonly assets: AssetWatch;
  private readonly dags = new Map<string, DagActor>();

  private readonly keyring: RunKeyring | undefined;

  constructor(store: EventStore, blobs: BlobStore, assets: AssetWatch, keyring?: RunKeyring) {
    this.assets = assets;
    this.keyring = keyring;
    this.plans = new PlanCache(blobs);
    this.loader = new ActorLoader(store, this.plans);
  }

  has(dagId: string): boolean {
    return this.dags.has(dagId);
  }

  peek(dagId: string): DagActor | undefined {
    return this.dags.get(dagId);
  }

  dagIds(): readonly string[] {
    return [...this.dags.keys()];
  }

  drop(dagId: string): void {
    this.dags.delete(dagId);
    this.assets.forget(dagId);
  }

  quarantineOf(dagId: string, runId: string): string | undefined {
    return this.quarantined.get(`${dagId}:${runId}`);
  }

  /** The DAG, with everything in memory that deciding about the messages will want, so that deciding never waits. */
  async prepare(dagId: string, messages: readonly SchedulerMessage[], blame: Blame): Promise<Prepared> {
    const actor = this.dags.get(dagId) ?? (await this.load(dagId, blame));
    const versions = new Set<string>();
    const published: AssetLeaf[] = [];
    const newer = new Map<string, RunActor>();
    if (actor.state.version !== undefined) versions.add(actor.state.version);
    for (const message of messages) {
      if (message.kind !== 'command') continue;
      const { command } = message;
      if (command.type === 'publishVersion') {
        versions.add(command.version);
        published.push(...assetLeaves(assetsOf(command.definition.timetable) ?? NOTHING));
      }
      if (isRunCommand(command)) await this.bringBack(actor, command.runId, blame);
      if (command.type === 'clearTasks' && command.latestVersion === true)
        await this.renew(actor, command.runId, newer);
    }
    for (const { runId, version } of runsToClear(actor.state))
      if (!actor.runs.has(runId)) await this.loadRun(actor, runId, version, blame);
    for (const run of actor.state.queued.values()) if (run.version !== undefined) versions.add(run.version);
    for (const version of versions) if (this.plans.peek(version) === undefined) await this.plans.load(version);
    this.assets.listen(actor.state);
    return { actor, newer, news: await this.assets.newsFor(actor.state, published) };
  }

  private async load(dagId: string, blame: Blame): Promise<DagActor> {
    const actor = await this.loader.dag(dagId);
    const { active, queued } = actor.state;
    for (const { runId, version } of [...active.values(), ...queued.values()])
      if (version !== undefined) await this.loadRun(actor, runId, version, blame);
    this.dags.set(dagId, actor);
    return actor;
  }

  /** A closed run that a command speaks of is folded again; it stays in memory for this batch, or while it is open. */
  private async bringBack(actor: DagActor, runId: string, blame: Blame): Promise<void> {
    if (actor.runs.has(runId)) return;
    const version = actor.state.closed.get(runId)?.version ?? actor.state.queued.get(runId)?.version;
    if (version !== undefined) await this.loadRun(actor, runId, version, blame);
  }

  private async renew(actor: DagActor, runId: string, newer: Map<string, RunActor>): Promise<void> {
    const { version } = actor.state;
    const run = actor.runs.get(runId);
    if (run === undefined || version === undefined || run.version.plan.version === version) return;
    newer.set(runId, await this.loader.run(actor.state, runId, version));
  }

  /** I14: a run that goes on without its key would go on with other values. */
  private async needKey({ dagId, sealed }: DagState, runId: string): Promise<void> {
    if (!sealed.has(runId) || this.keyring === undefined) return;
    const id = keyIdOf(dagId, runId);
    if ((await this.keyring.find(id)) instanceof Uint8Array) return;
    throw new Error(`the run is sealed and its key ${id} is not in the store of keys: restore that store`);
  }

  private async loadRun(actor: DagActor, runId: string, version: string, blame: Blame): Promise<void> {
    if (this.quarantineOf(actor.dagId, runId) !== undefined) return;
    blame.runId = runId;
    if (!actor.state.closed.has(runId)) await this.needKey(actor.state, runId);
    actor.runs.set(runId, await this.loader.run(actor.state, runId, version));
    delete blame.runId;
  }
}

const NOTHING = { kind: 'all', of: [] } as const;
