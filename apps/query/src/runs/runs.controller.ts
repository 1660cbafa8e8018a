import { Controller, Inject } from '@nestjs/common';
import type { InstanceSelection } from '@rondo/contracts';
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

  @Route(operations.clearRun)
  clear(@Input() { params, body, actor }: InputOf<typeof operations.clearRun>) {
    const { dryRun = false, ...selection } = body;
    return this.runs.clear(params.dagId, params.runId, defined(selection), dryRun, actor);
  }

  @Route(operations.markRun)
  mark(@Input() { params, body, actor }: InputOf<typeof operations.markRun>) {
    const { state, ...selection } = body;
    const { dagId, runId } = params;
    if (selection.taskIds === undefined && state !== 'skipped') return this.runs.mark(dagId, runId, state, actor);
    return this.runs.markTasks(dagId, runId, defined<InstanceSelection>(selection), state, actor);
  }

  @Route(operations.cancelRun)
  cancel(@Input() { params, actor }: InputOf<typeof operations.cancelRun>) {
    return this.runs.cancel(params.dagId, params.runId, actor);
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
