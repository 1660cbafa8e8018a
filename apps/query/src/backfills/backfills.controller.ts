import { Controller, Inject } from '@nestjs/common';
import type { CreateBackfill } from '@rondo/domain';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './backfills.operations.ts';
import { BackfillsService } from './backfills.service.ts';

@Controller('api/v1')
export class BackfillsController {
  constructor(@Inject(BackfillsService) private readonly backfills: BackfillsService) {}

  @Route(operations.listAllBackfills)
  listAll(@Input() { query }: InputOf<typeof operations.listAllBackfills>) {
    return this.backfills.list(defined({ open: query.open }), pageOf(query));
  }

  @Route(operations.listBackfills)
  list(@Input() { params, query }: InputOf<typeof operations.listBackfills>) {
    return this.backfills.list(defined({ dagId: params.dagId, open: query.open }), pageOf(query));
  }

  @Route(operations.createBackfill)
  create(@Input() { params, body, actor, key }: InputOf<typeof operations.createBackfill>) {
    return this.backfills.create(params.dagId, requestOf(body), actor, key);
  }

  @Route(operations.planBackfill)
  plan(@Input() { params, query, body, actor }: InputOf<typeof operations.planBackfill>) {
    return this.backfills.plan(params.dagId, requestOf(body), pageOf(query), actor);
  }

  @Route(operations.getBackfill)
  get(@Input() { params }: InputOf<typeof operations.getBackfill>) {
    return this.backfills.get(params.dagId, params.backfillId);
  }

  @Route(operations.listBackfillDates)
  dates(@Input() { params, query }: InputOf<typeof operations.listBackfillDates>) {
    return this.backfills.dates(params.dagId, params.backfillId, pageOf(query));
  }

  @Route(operations.pauseBackfill)
  pause(@Input() { params, actor }: InputOf<typeof operations.pauseBackfill>) {
    return this.backfills.change(params.dagId, params.backfillId, 'pauseBackfill', actor);
  }

  @Route(operations.unpauseBackfill)
  unpause(@Input() { params, actor }: InputOf<typeof operations.unpauseBackfill>) {
    return this.backfills.change(params.dagId, params.backfillId, 'resumeBackfill', actor);
  }

  @Route(operations.cancelBackfill)
  cancel(@Input() { params, actor }: InputOf<typeof operations.cancelBackfill>) {
    return this.backfills.change(params.dagId, params.backfillId, 'cancelBackfill', actor);
  }
}

function requestOf({ only, ...body }: InputOf<typeof operations.createBackfill>['body']): CreateBackfill {
  return defined<CreateBackfill>({ ...body, only: only === undefined ? undefined : defined(only) });
}
