import { compilePlan, type DagVersion, type RunPlan } from '@rondo/domain';
import type { BlobStore } from '@rondo/ports';

export interface VersionPlan {
  readonly plan: RunPlan;
  readonly version: DagVersion;
}

/** Compiled plans by version hash: read once, kept while used lately. */
export class PlanCache {
  private readonly blobs: BlobStore;
  private readonly limit: number;
  private readonly plans = new Map<string, VersionPlan>();
  private readonly loading = new Map<string, Promise<VersionPlan>>();

  constructor(blobs: BlobStore, limit = 500) {
    this.blobs = blobs;
    this.limit = limit;
  }

  /** The plan if it is in memory. */
  peek(version: string): VersionPlan | undefined {
    return this.plans.get(version);
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
