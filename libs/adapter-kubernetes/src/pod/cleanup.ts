import type { Pod } from '../api/objects.ts';
import type { Settings } from '../options.ts';
import type { PodKeeper } from './keeper.ts';
import { standOf } from './stand.ts';

/** How long the worker of a pod may take to leave once its result is durable. */
const LEAVE_MS = 10_000;

interface Done {
  readonly outcome: 'success' | 'other';
  /** Monotonic. */
  readonly since: number;
  pod: Pod | undefined;
  isReleased: boolean;
  isDeleted: boolean;
}

/** Pods whose attempts are over: deleted, or kept for people to look at until their time is over. */
export class Cleanup {
  readonly #settings: Settings;
  readonly #keeper: PodKeeper;
  readonly #done = new Map<string, Done>();

  constructor(settings: Settings, keeper: PodKeeper) {
    this.#settings = settings;
    this.#keeper = keeper;
  }

  has(name: string): boolean {
    return this.#done.has(name);
  }

  add(name: string, pod: Pod | undefined, outcome: Done['outcome']): void {
    const done = { outcome, since: performance.now(), pod, isReleased: false, isDeleted: false };
    this.#done.set(name, done);
    this.#look(done, done.since);
  }

  onPod(pod: Pod): void {
    const done = this.#done.get(pod.metadata.name);
    if (done === undefined) return this.add(pod.metadata.name, pod, 'other');
    done.pod = pod;
    this.#look(done, performance.now());
  }

  onGone(name: string): void {
    this.#done.delete(name);
  }

  tick(now: number): void {
    for (const done of this.#done.values()) this.#look(done, now);
  }

  #look(done: Done, now: number): void {
    const { pod, outcome, since } = done;
    if (pod === undefined || done.isDeleted) return;
    if (standOf(pod).kind === 'running' && now - since < LEAVE_MS) return;
    const { deletePods, keepMs } = this.#settings;
    const isKept = deletePods === 'never' || (deletePods === 'on-success' && outcome !== 'success');
    const isDue = !isKept || now - since >= keepMs;
    if (!done.isReleased) {
      done.isReleased = true;
      void this.#run(done, 'isReleased', () => this.#keeper.release(pod));
    }
    if (!isDue) return;
    done.isDeleted = true;
    void this.#run(done, 'isDeleted', () => this.#keeper.delete(pod));
  }

  /** Refused: said, and tried again with the next look at it. */
  async #run(done: Done, mark: 'isReleased' | 'isDeleted', call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#settings.onNotice(`pod '${done.pod?.metadata.name}' cannot be cleaned up: ${String(error)}`);
      done[mark] = false;
    }
  }
}
