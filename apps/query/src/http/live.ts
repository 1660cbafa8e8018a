import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { Request, Response } from 'express';

const HEARTBEAT_MS = 15_000;

/** An answer that stays open. `send` resolves when the client has taken what was sent, or is gone. */
export class LiveAnswer {
  readonly closed: AbortSignal;
  private readonly response: Response;
  private readonly controller = new AbortController();
  private readonly heartbeat: NodeJS.Timeout | undefined;

  /** `comment`: what keeps an idle connection alive; none for a format that has no comments. */
  constructor(request: Request, response: Response, media: string, comment: string | undefined) {
    this.response = response;
    this.closed = this.controller.signal;
    request.socket.setNoDelay(true);
    response.on('close', () => this.stop());
    response.status(200).set({ 'Content-Type': media, 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
    response.flushHeaders();
    if (comment !== undefined) this.heartbeat = setInterval(() => response.write(comment), HEARTBEAT_MS).unref();
  }

  async send(text: string): Promise<void> {
    if (this.closed.aborted || this.response.write(text)) return;
    await new Promise<void>((resolve) => {
      this.response.once('drain', resolve);
      this.closed.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  end(): void {
    this.stop();
    this.response.end();
  }

  private stop(): void {
    clearInterval(this.heartbeat);
    this.controller.abort();
  }
}

/** One server-sent event. */
export function serverEvent(event: string, data: unknown, id?: number): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The answers that are open: a shutdown ends them, or it would wait for ever. */
@Injectable()
export class LiveAnswers implements BeforeApplicationShutdown {
  private readonly open = new Set<LiveAnswer>();

  events(request: Request, response: Response): LiveAnswer {
    return this.track(new LiveAnswer(request, response, 'text/event-stream; charset=utf-8', ': heartbeat\n\n'));
  }

  jsonLines(request: Request, response: Response): LiveAnswer {
    return this.track(new LiveAnswer(request, response, 'application/x-ndjson; charset=utf-8', undefined));
  }

  private track(answer: LiveAnswer): LiveAnswer {
    this.open.add(answer);
    answer.closed.addEventListener('abort', () => this.open.delete(answer), { once: true });
    return answer;
  }

  beforeApplicationShutdown(): void {
    for (const answer of this.open) answer.end();
  }
}
