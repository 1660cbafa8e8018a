import type { TaskError } from '@rondo/domain';
import { ApiError } from '../api/errors.ts';
import type { Pod } from '../api/objects.ts';
import { Pauses } from '../api/patience.ts';
import type { Settings } from '../options.ts';
import type { PodKeeper } from '../pod/keeper.ts';
import { podOf } from '../pod/template.ts';
import type { Entry } from './entry.ts';

export interface MakingEvents {
  onMade(entry: Entry, pod: Pod): void;
  onRefused(entry: Entry, error: TaskError, retryable: boolean): void;
  /** Before there was a pod. */
  onCancelled(entry: Entry): void;
}

/** Makes pods. What the cluster has no room for now, or the platform may not do, waits: it is no fault of the task. */
export class Making {
  readonly #settings: Settings;
  readonly #keeper: PodKeeper;
  readonly #signal: AbortSignal;
  readonly #events: MakingEvents;
  #said = '';

  constructor(settings: Settings, keeper: PodKeeper, signal: AbortSignal, events: MakingEvents) {
    this.#settings = settings;
    this.#keeper = keeper;
    this.#signal = signal;
    this.#events = events;
  }

  async make(entry: Entry): Promise<void> {
    const built = podOf(this.#settings, entry.assignment!, entry);
    if (!built.ok)
      return this.#events.onRefused(entry, { kind: 'exit', type: 'InvalidPod', message: built.error }, false);
    const pauses = new Pauses({ firstMs: 1_000, lastMs: 30_000, ...this.#settings.patience });
    while (!this.#signal.aborted) {
      if (entry.cancelled !== undefined) return this.#events.onCancelled(entry);
      try {
        const { pod, token } = await this.#keeper.create(built.value);
        entry.token = token;
        this.#said = '';
        return this.#events.onMade(entry, pod);
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!(error instanceof ApiError) || !mayPass(error)) return this.#refuse(entry, error);
        this.#say(error);
        await pauses.pause(this.#signal, error);
      }
    }
  }

  #refuse(entry: Entry, error: unknown): void {
    const message = `the pod is refused: ${error instanceof Error ? error.message : String(error)}`;
    const isInvalid = error instanceof ApiError && (error.code === 400 || error.code === 422);
    this.#events.onRefused(entry, { kind: 'exit', type: isInvalid ? 'InvalidPod' : 'RefusedPod', message }, !isInvalid);
  }

  /** Once for what is the same but for names. */
  #say({ message }: ApiError): void {
    const said = message.replace(/"[^"]*"/g, '').replace(/\d+/g, '');
    if (said === this.#said) return;
    this.#said = said;
    this.#settings.onNotice(`pods wait to be made: ${message}`);
  }
}

/** A quota that is used up, a right or a namespace that is missing: no other pod would be taken either. */
function mayPass(error: ApiError): boolean {
  const isRight = error.code === 403 && /cannot create|error looking up service account/.test(error.message);
  return error.isTransient || error.isQuota || isRight || error.code === 401 || error.isNotFound || error.isConflict;
}
