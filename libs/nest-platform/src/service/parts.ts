import type { DependencyState } from '../health/health-server.ts';
import type { Log } from '../logging/log.ts';

/** A part of a service: a connection, a consumer, a server. */
export interface Part {
  readonly name: string;
  start?(): Promise<unknown>;
  /** `graceMs`: how long work that is under way may go on. */
  stop?(graceMs: number): Promise<unknown>;
  /** How it is; a throw is a failure. Default: ok once it has started. */
  check?(): Promise<string | undefined | void>;
}

/** A check that takes longer has failed. */
const CHECK_MS = 2_000;

/** Parts that start in the order in which they are declared, and stop in the reverse order. */
export class Parts {
  readonly #log: Log;
  readonly #running: Part[] = [];
  readonly #starting = new Set<string>();
  #stopping: string | undefined;
  #isDown = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Starts the part, after those before it. Nothing is started once it is to stop. */
  async add<P extends Part>(part: P): Promise<P> {
    if (this.#isDown) throw new StoppingError();
    this.#starting.add(part.name);
    const begin = performance.now();
    // Also one whose start fails half-way is stopped.
    this.#running.push(part);
    await part.start?.();
    this.#log.debug(`${part.name} has started`, { ms: Math.round(performance.now() - begin) });
    this.#starting.delete(part.name);
    if (this.#isDown) throw new StoppingError();
    return part;
  }

  /** Starts parts that do not need each other at the same time. */
  async addAll(parts: readonly Part[]): Promise<void> {
    const started = await Promise.allSettled(parts.map((part) => this.add(part)));
    for (const each of started) if (each.status === 'rejected') throw each.reason;
  }

  /** The state of each part. */
  async states(): Promise<Readonly<Record<string, DependencyState>>> {
    const states: Record<string, DependencyState> = {};
    await Promise.all(
      this.#running.map(async (part) => {
        states[part.name] = { state: 'starting' };
        states[part.name] = this.#starting.has(part.name) ? { state: 'starting' } : await stateOf(part);
      }),
    );
    if (this.#isDown) states['service'] = { state: 'stopping', detail: this.#stopping ?? 'everything has stopped' };
    return states;
  }

  /** What stops now, for whoever waits too long. */
  get stopping(): string | undefined {
    return this.#stopping;
  }

  /** What fails to stop is told, and the rest stops all the same. */
  async stop(graceMs: number): Promise<void> {
    this.#isDown = true;
    for (let part = this.#running.pop(); part !== undefined; part = this.#running.pop()) {
      this.#stopping = part.name;
      const begin = performance.now();
      try {
        await part.stop?.(graceMs);
        this.#log.debug(`${part.name} has stopped`, { ms: Math.round(performance.now() - begin) });
      } catch (error) {
        this.#log.warn(`${part.name} did not stop as it should`, { error });
      }
    }
    this.#stopping = undefined;
  }
}

/** The service was told to stop while it started. */
export class StoppingError extends Error {
  override readonly name = 'StoppingError';
}

async function stateOf(part: Part): Promise<DependencyState> {
  if (part.check === undefined) return { state: 'ok' };
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MS} ms`)), CHECK_MS);
  });
  try {
    const detail = await Promise.race([part.check(), tooLong]);
    return { state: 'ok', ...(typeof detail === 'string' ? { detail } : {}) };
  } catch (error) {
    return { state: 'failing', detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
