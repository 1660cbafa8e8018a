import { Controller, Inject } from '@nestjs/common';
import type { RunFilter } from '@rondo/ports';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import { defined } from '../http/defined.ts';
import * as operations from './runs.operations.ts';
import { RunsService } from './runs.service.ts';

@Controller('api/v1')
export class RunsController {
  constructor(@Inject(RunsService) private readonly runs: RunsService) {}

  @Route(operations.listAllRuns)
  listAll(@Input() { query }: InputOf<typeof operations.listAllRuns>) {
    return this.runs.list(defined({ ...filterOf(query), dagId: query.dagId }), pageOf(query));
  }

  @Route(operations.listRuns)
  list(@Input() { params, query }: InputOf<typeof operations.listRuns>) {
    return this.runs.listOf(params.dagId, filterOf(query), pageOf(query), query.asOf);
  }

  @Route(operations.triggerRun)
  trigger(@Input() { params, body, actor, key }: InputOf<typeof operations.triggerRun>) {
    return this.runs.trigger(params.dagId, defined(body), actor, key);
  }

  @Route(operations.getRun)
  get(@Input() { params, query }: InputOf<typeof operations.getRun>) {
    return this.runs.get(params.dagId, params.runId, query.asOf);
  }

  @Route(operations.listRunEvents)
  events(@Input() { params, query }: InputOf<typeof operations.listRunEvents>) {
    return this.runs.events(params.dagId, params.runId, query.asOf, pageOf(query));
  }
}

function filterOf(
  query: InputOf<typeof operations.listAllRuns>['query'] | InputOf<typeof operations.listRuns>['query'],
): RunFilter {
  const { state, runType, backfillId, logicalDateGte, logicalDateLte, runAfterGte, runAfterLte, orderBy } = query;
  return defined({ state, runType, backfillId, logicalDateGte, logicalDateLte, runAfterGte, runAfterLte, orderBy });
}
