import type { INestApplicationContext, Type } from '@nestjs/common';
import { DagsController } from '../dags/dags.controller.ts';
import * as dags from '../dags/dags.operations.ts';
import type { InputOf, Operation } from '../http/operation.ts';
import { PoolsController } from '../pools/pools.controller.ts';
import * as pools from '../pools/pools.operations.ts';
import { ControlController } from '../runs/control.controller.ts';
import * as control from '../runs/control.operations.ts';
import { RunsController } from '../runs/runs.controller.ts';
import * as runs from '../runs/runs.operations.ts';
import { TasksController } from '../task-instances/tasks.controller.ts';
import * as tasks from '../task-instances/tasks.operations.ts';

/** A call by gRPC is an operation of the API, answered by the method that answers it over HTTP. */
export interface Call {
  readonly operation: Operation;
  readonly run: (app: INestApplicationContext, input: never) => unknown;
}

/** By the method's name in query.proto. Several: the first whose parameters the request has. */
export const CALLS: Readonly<Record<string, readonly Call[]>> = {
  ListDags: [call(dags.listDags, DagsController, 'list')],
  GetDag: [call(dags.getDag, DagsController, 'get')],
  SetDagPaused: [call(dags.patchDag, DagsController, 'patch')],
  ListRuns: [call(runs.listRuns, RunsController, 'list'), call(runs.listAllRuns, RunsController, 'listAll')],
  GetRun: [call(runs.getRun, RunsController, 'get')],
  TriggerRun: [call(runs.triggerRun, RunsController, 'trigger')],
  ClearRun: [call(control.clearRun, ControlController, 'clear')],
  MarkRun: [call(control.markRun, ControlController, 'mark')],
  ListRunEvents: [call(runs.listRunEvents, RunsController, 'events')],
  ListTaskInstances: [call(tasks.listRunTasks, TasksController, 'listOf')],
  GetTaskInstance: [call(tasks.getTaskInstance, TasksController, 'get')],
  ListPools: [call(pools.listPools, PoolsController, 'list')],
};

export function callFor(method: string, said: Readonly<Record<string, unknown>>): Call {
  const calls = CALLS[method]!;
  return (
    calls.find(({ operation }) => Object.keys(operation.params?.shape ?? {}).every((name) => name in said)) ??
    calls.at(-1)!
  );
}

function call<Op extends Operation, Name extends string>(
  operation: Op,
  controller: Type<{ readonly [name in Name]: (input: InputOf<Op>) => unknown }>,
  name: Name,
): Call {
  return {
    operation,
    run: (app, input) => app.get(controller, { strict: false })[name](input as InputOf<Op>),
  };
}
