import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { LiveAnswers } from '../http/live.ts';
import { LogService } from './log.service.ts';
import { getLog } from './tasks.operations.ts';

@Controller('api/v1')
export class LogController {
  constructor(
    @Inject(LogService) private readonly logs: LogService,
    @Inject(LiveAnswers) private readonly live: LiveAnswers,
  ) {}

  @Route(getLog)
  async log(
    @Input() { params, query }: InputOf<typeof getLog>,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const name = { ...params, mapIndex: query.mapIndex };
    const tryNumber = query.try ?? (await this.logs.latestTry(name));
    if (!query.follow) {
      response.json(await this.logs.read(name, tryNumber, query.from, query.limit));
      return;
    }
    const asLines = request.accepts(['text/event-stream', 'application/x-ndjson']) === 'application/x-ndjson';
    const answer = asLines ? this.live.jsonLines(request, response) : this.live.events(request, response);
    // A client that comes back goes on after the last line that it has.
    const from = asLines ? query.from : Number(request.get('last-event-id') ?? query.from) || query.from;
    await this.logs.follow(name, query.try, from, answer, asLines);
  }
}
