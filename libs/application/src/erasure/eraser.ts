import type { Clock, LogStore } from '@rondo/ports';
import type { RunKeyring } from './keyring.ts';
import { keyIdOf } from './tokens.ts';

export interface ErasedRun {
  readonly dagId: string;
  readonly runId: string;
}

export interface RunEraserOptions {
  readonly keyring: RunKeyring;
  readonly logs: Pick<LogStore, 'deleteRun'>;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
}

const AGAIN_MS = 10_000;

/**
 * Carries out what `RunErased` says (I14): the key first, then what lies outside of the history in clear. Each step may be done
 * again, and the store of keys notes the last one, so that an erasure goes on after a crash at any point.
 */
export class RunEraser {
  private readonly options: RunEraserOptions;
  private readonly waiting = new Set<() => void>();
  private stopped = false;

  constructor(options: RunEraserOptions) {
    this.options = options;
  }

  /** Never rejects: what fails is told, and tried again later. */
  async erase(runs: readonly ErasedRun[]): Promise<void> {
    const failed: ErasedRun[] = [];
    for (const run of runs) {
      try {
        await this.eraseOne(run);
      } catch (error) {
        failed.push(run);
        const why = error instanceof Error ? error.message : String(error);
        this.options.onProblem(`erasing run '${run.runId}' of DAG '${run.dagId}' is not done yet: ${why}`);
      }
    }
    if (failed.length === 0 || this.stopped) return;
    const { clock } = this.options;
    const cancel = clock.at(clock.now() + AGAIN_MS, () => {
      this.waiting.delete(cancel);
      void this.erase(failed);
    });
    this.waiting.add(cancel);
  }

  /** Goes on with those of these erasures that were begun and not finished. */
  async resume(runs: readonly ErasedRun[]): Promise<void> {
    if (runs.length === 0) return;
    const byId = new Map(runs.map((run) => [keyIdOf(run.dagId, run.runId), run]));
    try {
      const left = await this.options.keyring.unfinished([...byId.keys()]);
      await this.erase(left.map((id) => byId.get(id)!));
    } catch {
      await this.erase(runs);
    }
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.waiting) cancel();
    this.waiting.clear();
  }

  private async eraseOne({ dagId, runId }: ErasedRun): Promise<void> {
    const { keyring, logs } = this.options;
    const id = keyIdOf(dagId, runId);
    await keyring.delete(id);
    await logs.deleteRun(dagId, runId);
    await keyring.finish(id);
  }
}
