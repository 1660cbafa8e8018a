import { Controller, Inject } from '@nestjs/common';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './tasks.operations.ts';
import { TasksService } from './tasks.service.ts';

@Controller('api/v1')
export class TasksController {
  constructor(@Inject(TasksService) private readonly tasks: TasksService) {}

  @Route(operations.listTaskInstances)
  list(@Input() { query }: InputOf<typeof operations.listTaskInstances>) {
    const { dagId, runId, taskId, state, under, name } = query;
    return this.tasks.list(defined({ dagId, runId, taskId, state, under, name }), pageOf(query));
  }

  @Route(operations.listRunTasks)
  listOf(@Input() { params, query }: InputOf<typeof operations.listRunTasks>) {
    const { taskId, state, under, name, asOf } = query;
    const filter = defined({ taskId, state, under, name });
    return this.tasks.listOf(params.dagId, params.runId, filter, pageOf(query), asOf);
  }

  @Route(operations.getTaskInstance)
  get(@Input() { params, query }: InputOf<typeof operations.getTaskInstance>) {
    return this.tasks.get({ ...params, mapIndex: query.mapIndex }, query.asOf);
  }

  @Route(operations.listTries)
  tries(@Input() { params, query }: InputOf<typeof operations.listTries>) {
    return this.tasks.tries({ ...params, mapIndex: query.mapIndex }, query.asOf);
  }

  @Route(operations.getRendered)
  rendered(@Input() { params, query }: InputOf<typeof operations.getRendered>) {
    return this.tasks.rendered({ ...params, mapIndex: query.mapIndex }, query.try, query.asOf);
  }

  @Route(operations.getReasons)
  reasons(@Input() { params, query, actor }: InputOf<typeof operations.getReasons>) {
    return this.tasks.reasons({ ...params, mapIndex: query.mapIndex }, actor);
  }
}
