import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { LogStore } from '@rondo/ports';
import { LOG_WINDOW, linesOf, type LogChunk, type LogCredit } from './log-wire.ts';

type LogCall = ServerDuplexStream<LogChunk, LogCredit>;

/** The gateway's end of the streams of logs: what it has not stored is not paid back, so that a worker waits for the store. */
export class LogReceiver {
  private readonly logs: LogStore;
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

  private async store({ attempt, lines }: LogChunk): Promise<string> {
    try {
      await this.logs.append(attempt, linesOf(lines));
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
