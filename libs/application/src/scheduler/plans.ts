import { compilePlan, onlyTasks, type DagVersion, type RunPlan } from '@rondo/domain';
import type { BlobStore } from '@rondo/ports';

export interface VersionPlan {
  readonly plan: RunPlan;
  readonly version: DagVersion;
  /** The tasks that it is for, where it is not all of the version's. */
  readonly only?: readonly string[];
}

const MAX_CHOSEN = 100;

/** Compiled plans by version hash: read once, kept while used lately. */
export class PlanCache {
  private readonly blobs: BlobStore;
  private readonly limit: number;
  private readonly plans = new Map<string, VersionPlan>();
  private readonly chosen = new Map<string, VersionPlan>();
  private readonly loading = new Map<string, Promise<VersionPlan>>();

  constructor(blobs: BlobStore, limit = 500) {
    this.blobs = blobs;
    this.limit = limit;
  }

  /** The plan if it is in memory. */
  peek(version: string): VersionPlan | undefined {
    return this.plans.get(version);
  }

  /** The plan of a run that consists of these tasks; `only` undefined: of all. The version must be in memory. */
  choose(version: string, only: readonly string[] | undefined): VersionPlan {
    const whole = this.plans.get(version);
    if (whole === undefined) throw new Error(`DAG version ${version} is not in memory`);
    if (only === undefined) return whole;
    const key = `${version} ${only.join(' ')}`;
    const known = this.chosen.get(key);
    if (known !== undefined) return known;
    const definition = onlyTasks(whole.version.definition, only);
    const entry = { plan: compilePlan(version, definition), version: { ...whole.version, definition }, only };
    if (this.chosen.size >= MAX_CHOSEN) this.chosen.delete(this.chosen.keys().next().value!);
    this.chosen.set(key, entry);
    return entry;
  }

  async load(version: string): Promise<VersionPlan> {
    const known = this.plans.get(version);
    if (known !== undefined) return known;
    const running = this.loading.get(version) ?? this.read(version);
    this.loading.set(version, running);
    try {
      return await running;
    } finally {
      this.loading.delete(version);
    }
  }

  private async read(version: string): Promise<VersionPlan> {
    const bytes = await this.blobs.get(version);
    if (bytes === undefined) throw new Error(`the definition of DAG version ${version} is not in the blob store`);
    const parsed = JSON.parse(new TextDecoder().decode(bytes)) as DagVersion;
    const entry = { plan: compilePlan(version, parsed.definition), version: parsed };
    if (this.plans.size >= this.limit) this.plans.delete(this.plans.keys().next().value!);
    this.plans.set(version, entry);
    return entry;
  }
}
