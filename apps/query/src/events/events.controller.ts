import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { EventStore, Position, RecordedEvent } from '@rondo/ports';
import type { Request, Response } from 'express';
import { Definitions } from '../history/definitions.ts';
import { RunHistory } from '../history/run-history.ts';
import { LiveAnswers, serverEvent, type LiveAnswer } from '../http/live.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { invalid } from '../http/problem.ts';
import { EVENT_STORE } from '../options.ts';
import { streamEvents } from './events.operations.ts';
import { StateFeed } from './state-feed.ts';

@Controller('api/v1')
export class EventsController {
  constructor(
    @Inject(EVENT_STORE) private readonly eventStore: EventStore,
    @Inject(RunHistory) private readonly history: RunHistory,
    @Inject(Definitions) private readonly definitions: Definitions,
    @Inject(LiveAnswers) private readonly live: LiveAnswers,
  ) {}

  @Route(streamEvents)
  async stream(
    @Input() { query }: InputOf<typeof streamEvents>,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const { dagId, runId } = query;
    if (runId !== undefined && dagId === undefined)
      throw invalid([
        {
          in: 'query',
          name: 'runId',
          value: runId,
          message: 'is only allowed together with dagId',
          allowed: 'together with dagId',
        },
      ]);
    const after = lastEventId(request) ?? query.after ?? (await this.eventStore.head());
    const answer = this.live.events(request, response);
    await this.follow(new StateFeed({ dagId, runId }, this.history, this.definitions), after, answer);
  }

  private async follow(feed: StateFeed, after: Position, answer: LiveAnswer): Promise<void> {
    await answer.send(`: following after position ${after}\n\n`);
    const dropped = new Promise<void>((resolve) => {
      answer.closed.addEventListener('abort', () => resolve(), { once: true });
      const subscription = this.eventStore.subscribe({
        name: 'live',
        after,
        filter: feed.streams,
        onBatch: (events) => sendAll(feed, events, answer),
        onDrop: () => resolve(),
      });
      answer.closed.addEventListener('abort', () => void subscription.stop(), { once: true });
    });
    await dropped;
    answer.end();
  }
}

async function sendAll(feed: StateFeed, events: readonly RecordedEvent[], answer: LiveAnswer): Promise<void> {
  for (const event of events) {
    if (answer.closed.aborted) return;
    const told = await feed.tell(event);
    if (told !== undefined) await answer.send(serverEvent(told.kind, told.data, event.position));
  }
}

function lastEventId(request: Request): Position | undefined {
  const given = request.get('last-event-id');
  if (given === undefined || given === '') return undefined;
  if (/^\d+$/.test(given)) return Number(given);
  throw invalid([
    {
      in: 'header',
      name: 'Last-Event-ID',
      value: given.slice(0, 100),
      message: 'is not a position of the history: a whole number',
      allowed: 'a whole number',
    },
  ]);
}
