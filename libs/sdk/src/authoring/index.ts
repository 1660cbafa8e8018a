export { compileFilter, type ApprovalResponse, type EventFilter } from '@rondo/domain';
export {
  all,
  any,
  Asset,
  AssetAlias,
  AssetCondition,
  assetOrTime,
  partitioned,
  type AssetOptions,
  type AssetSchedule,
  type MapperOption,
  type Outlet,
  type PartitionOptions,
} from './asset.ts';
export { asset, AssetDag, multiAsset, type AssetDagOptions, type MultiAssetOptions } from './asset-dag.ts';
export { templatable, type Callback, type Callbacks, type PastCondition, type TaskAttributes } from './attributes.ts';
export { Dag, dag, type DagOptions, type TemplateFilter } from './dag.ts';
export type { DateInput } from './dates.ts';
export { DagError } from './error.ts';
export {
  declareTask,
  FunctionOperator,
  task,
  type CallArgs,
  type FunctionArgs,
  type FunctionOptions,
  type TaskFunction,
} from './function-task.ts';
export { jsonOf } from './json.ts';
export {
  Param,
  param,
  paramDefinitions,
  resolveParams,
  type ParamFault,
  type ParamOptions,
  type ParamsInput,
} from './params.ts';
export { PokeReturn, type Poked } from './poke-return.ts';
export { chain, Chain, crossDownstream, type Linkable } from './relations.ts';
export {
  continuous,
  cronInterval,
  cronPartition,
  cronTrigger,
  deltaInterval,
  deltaTrigger,
  events,
  multiCron,
  once,
  type CronIntervalSchedule,
  type ScheduleInput,
} from './schedule.ts';
export type {
  RetryDecisionInput,
  RetryFunction,
  RetryPolicyInput,
  RetryRuleInput,
  RetryWithInput,
} from './retry-policy.ts';
export { FunctionSensor, PollingTask, Sensor, sensor, WaitingTask, WaitSensor, type SensorOptions } from './sensor.ts';
export type { Sensing, SensorAttributes } from './sensor-attributes.ts';
export { MappedTask } from './mapping/mapped-task.ts';
export { Operator, type FieldFunction, type OperatorArgs } from './operator.ts';
export { Derived, isSource, Output, type Arg, type Over, type Resolved, type Source } from './source.ts';
export { Timetable, type TimetableQuery, type TimetableRun } from './timetable.ts';
export { Task, type Construction, type TaskOptions } from './task.ts';
export { TaskEnd, Trigger, type TriggerClass } from './trigger.ts';
export { TaskGroup, type TaskGroupOptions } from './task-group.ts';
export { taskGroup } from './mapping/mapped-group.ts';
