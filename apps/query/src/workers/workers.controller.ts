import { Controller, Inject } from '@nestjs/common';
import type { Workers } from '@rondo/application';
import { actorText } from '../http/actor.ts';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { refused } from '../http/problem.ts';
import { WORKERS } from '../options.ts';
import * as operations from './workers.operations.ts';

@Controller('api/v1')
export class WorkersController {
  constructor(@Inject(WORKERS) private readonly workers: Workers) {}

  @Route(operations.listWorkers)
  async list(@Input() { query }: InputOf<typeof operations.listWorkers>) {
    const { offset, limit, includeLeft } = query;
    const all = (await this.workers.list()).filter(({ state }) => includeLeft || state !== 'left');
    return { items: all.slice(offset, offset + limit), total: all.length };
  }

  @Route(operations.drainWorker)
  async drain(@Input() { params, body, actor }: InputOf<typeof operations.drainWorker>) {
    const request = { worker: params.key, actor: actorText(actor), ...defined(body) };
    const done = await this.workers.drain(request);
    if (!done.ok) throw refused(done.error);
    return done.value;
  }
}
