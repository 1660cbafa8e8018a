import type { AttemptRef } from '@rondo/domain';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { LogLine } from '@rondo/ports';
import { chunksOf, type LogChunk, type LogCredit } from './log-wire.ts';

interface Waiting {
  readonly chunk: LogChunk;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

type LogCall = ClientDuplexStream<LogChunk, LogCredit>;

/** The worker's end of the stream of logs. It is opened by the first lines, and again after it was lost. */
export class LogSender {
  private readonly open: () => LogCall;
  private call: LogCall | undefined;
  private queue: Waiting[] = [];
  private readonly sent = new Map<number, Waiting>();
  private credit = 0;
  private full = false;
  private n = 0;

  constructor(open: () => LogCall) {
    this.open = open;
  }

  async append(attempt: AttemptRef, lines: readonly LogLine[], again = false): Promise<void> {
    const stored = chunksOf(lines).map(
      (part) =>
        new Promise<void>((resolve, reject) =>
          this.queue.push({ chunk: { ...part, n: ++this.n, attempt, again }, resolve, reject }),
        ),
    );
    this.call ??= this.connect();
    this.pump();
    await Promise.all(stored);
  }

  close(): void {
    const { call } = this;
    if (call === undefined) return;
    this.fail(call, new Error('the line is closed'));
    call.cancel();
  }

  private connect(): LogCall {
    const call = this.open();
    this.credit = 0;
    this.full = false;
    call.on('data', (answer: LogCredit) => this.answered(answer));
    call.on('drain', () => {
      this.full = false;
      this.pump();
    });
    call.on('end', () => this.fail(call, new Error('the gateway ended the stream of logs')));
    call.on('error', (error) => this.fail(call, error));
    return call;
  }

  private pump(): void {
    let taken = 0;
    for (; taken < this.queue.length && this.credit > 0 && !this.full; taken++) {
      const waiting = this.queue[taken]!;
      this.sent.set(waiting.chunk.n, waiting);
      this.credit -= waiting.chunk.weight;
      this.full = !this.call!.write(waiting.chunk);
    }
    this.queue.splice(0, taken);
  }

  private answered({ n, credit, error }: LogCredit): void {
    const waiting = this.sent.get(n);
    this.sent.delete(n);
    this.credit += credit;
    if (error === '') waiting?.resolve();
    else waiting?.reject(new Error(`the gateway did not store lines of a log: ${error}`));
    this.pump();
  }

  private fail(call: LogCall, error: Error): void {
    if (this.call !== call) return;
    this.call = undefined;
    const lost = [...this.sent.values(), ...this.queue];
    this.sent.clear();
    this.queue = [];
    for (const { reject } of lost) reject(error);
  }
}
