import type { AnswerFrame, ServiceMethod } from '../child/frames.ts';
import { LogBacklog } from '../pool/attempt-log.ts';
import { bundleKey } from '../pool/work.ts';
import { BundleWatches, type BundleWatchesOptions } from './bundle-watches.ts';
import { Watched } from './watched.ts';

export type TriggererOptions = Omit<BundleWatchesOptions, 'backlog'>;

const SWEEP_MS = 1_000;

/** Waits that take a process: sensors' polls and triggers, by bundle. They take none of the worker's slots. */
export class Triggerer {
  readonly #options: BundleWatchesOptions;
  readonly #bundles = new Map<string, BundleWatches>();
  readonly #places = new Map<string, BundleWatches>();
  #sweeping: NodeJS.Timeout | undefined;
  #number = 0;
  #isStopping = false;

  constructor(options: TriggererOptions) {
    this.#options = {
      ...options,
      backlog: new LogBacklog(),
      onReport: (id, report) => {
        this.#places.delete(id);
        options.onReport(id, report);
      },
    };
  }

  get size(): number {
    return this.#places.size;
  }

  get pids(): number[] {
    return [...this.#bundles.values()].map(({ pid }) => pid).filter((pid) => pid !== 0);
  }

  /** Assignments as JSON. One that is known is dropped (I1). */
  watch(texts: readonly string[]): void {
    if (this.#isStopping) return;
    const now = performance.now();
    for (const text of texts) {
      const watched = new Watched(text, ++this.#number);
      if (this.#places.has(watched.id)) continue;
      const key = bundleKey(watched.bundle);
      let bundle = this.#bundles.get(key);
      if (bundle === undefined) this.#bundles.set(key, (bundle = new BundleWatches(this.#options)));
      this.#places.set(watched.id, bundle);
      bundle.add(watched, now);
    }
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_MS);
  }

  unwatch(ids: readonly string[], reason: string): void {
    const now = performance.now();
    const places = Map.groupBy(ids, (id) => this.#places.get(id));
    for (const [bundle, own] of places) bundle?.remove(own, reason, now);
    for (const id of ids) this.#places.delete(id);
  }

  /** False: the child is none of these. */
  answer(child: number, attemptId: string, method: ServiceMethod, frame: AnswerFrame): boolean {
    const bundle = this.#places.get(attemptId);
    if (bundle === undefined || bundle.pid !== child) return false;
    bundle.answer(attemptId, method, frame);
    return true;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#sweeping);
    await Promise.all([...this.#bundles.values()].map((bundle) => bundle.stop()));
  }

  #sweep(): void {
    const now = performance.now();
    for (const [key, bundle] of this.#bundles) {
      bundle.sweep(now);
      if (bundle.isIdle) this.#bundles.delete(key);
    }
    if (this.#bundles.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}
