import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { AttemptRef } from '@rondo/domain';
import { appendAgain, type LogStore } from '@rondo/ports';
import { LOG_WINDOW, linesOf, type LogChunk, type LogCredit } from './log-wire.ts';

type LogCall = ServerDuplexStream<LogChunk, LogCredit>;

/** The gateway's end of the streams of logs: what it has not stored is not paid back, so that a worker waits for the store. */
export class LogReceiver {
  private readonly logs: LogStore;
  private readonly turns = new Map<string, Turn>();
  private readonly calls = new Map<LogCall, { pending: number; ending: boolean }>();

  constructor(logs: LogStore) {
    this.logs = logs;
  }

  serve(call: LogCall): void {
    const stand = { pending: 0, ending: false };
    let owed = 0;
    this.calls.set(call, stand);
    call.write({ n: 0, credit: LOG_WINDOW, error: '' });
    call.on('data', (chunk: LogChunk) => {
      stand.pending++;
      owed += chunk.weight;
      // Who sends beyond the credit is not listened to until the store has caught up.
      if (owed > 2 * LOG_WINDOW) call.pause();
      void this.store(chunk).then((error) => {
        stand.pending--;
        owed -= chunk.weight;
        if (!this.calls.has(call)) return;
        call.write({ n: chunk.n, credit: chunk.weight, error });
        call.resume();
        this.endIfDone(call);
      });
    });
    call.on('end', () => this.finish(call));
    call.on('cancelled', () => this.calls.delete(call));
    call.on('error', () => this.calls.delete(call));
  }

  /** Ends every stream once what has arrived is stored. */
  end(): void {
    for (const call of this.calls.keys()) this.finish(call);
  }

  private async store({ attempt, lines, again }: LogChunk): Promise<string> {
    const turn = this.turns.get(keyOf(attempt)) ?? new Turn(this.turns, keyOf(attempt));
    try {
      await (again
        ? turn.after(() => appendAgain(this.logs, attempt, linesOf(lines)))
        : turn.beside(() => this.logs.append(attempt, linesOf(lines))));
      return '';
    } catch (error) {
      return (error as Error).message || 'unknown';
    }
  }

  private finish(call: LogCall): void {
    const stand = this.calls.get(call);
    if (stand !== undefined) stand.ending = true;
    this.endIfDone(call);
  }

  private endIfDone(call: LogCall): void {
    const stand = this.calls.get(call);
    if (stand?.ending !== true || stand.pending > 0) return;
    this.calls.delete(call);
    call.end();
  }
}

const keyOf = ({ dagId, runId, taskId, mapIndex, tryNumber }: AttemptRef): string =>
  JSON.stringify([dagId, runId, taskId, mapIndex, tryNumber]);

/** The order of what is stored of one log: what may be there already is looked at when all that came before it is stored. */
class Turn {
  private readonly turns: Map<string, Turn>;
  private readonly key: string;
  private all: Promise<unknown> = Promise.resolve();
  private alone: Promise<unknown> = Promise.resolve();

  constructor(turns: Map<string, Turn>, key: string) {
    this.turns = turns;
    this.key = key;
    turns.set(key, this);
  }

  /** With others, once nothing is under way that wants to be alone. */
  beside(work: () => Promise<void>): Promise<void> {
    return this.follow(this.alone.then(work));
  }

  after(work: () => Promise<void>): Promise<void> {
    const done = this.all.then(work);
    this.alone = done.catch(() => undefined);
    return this.follow(done);
  }

  private follow(work: Promise<void>): Promise<void> {
    const all = Promise.allSettled([this.all, work]);
    this.all = all;
    void all.then(() => {
      if (this.all === all) this.turns.delete(this.key);
    });
    return work;
  }
}
