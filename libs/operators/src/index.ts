/** Nothing heavy is loaded by importing this: child processes, databases and streams are loaded by the attempt that needs them. */
export { FunctionOperator } from '@rondo/sdk';
export { BashOperator, type BashArgs } from './bash/bash-operator.ts';
export { BranchDateTimeOperator, type BranchDateTimeArgs } from './branch/branch-date-time-operator.ts';
export {
  branch,
  BranchOperator,
  shortCircuit,
  ShortCircuitOperator,
  type Choice,
  type ShortCircuitArgs,
} from './branch/branch-operator.ts';
export { EmptyOperator, LatestOnlyOperator } from './empty/empty-operator.ts';
export { HttpOperator, type HttpArgs } from './http/http-operator.ts';
export type { Downloaded } from './http/download.ts';
export type { Answer } from './http/request.ts';
export { PythonOperator, type PythonArgs } from './python/python-operator.ts';
export { splitStatements } from './sql/split-statements.ts';
export { SqlOperator, type SqlArgs } from './sql/sql-operator.ts';
export { TriggerDagRunOperator, type TriggerDagRunArgs } from './trigger/trigger-dag-run-operator.ts';
export { AssetSensor, EventSensor, type AssetSensorArgs, type EventSensorArgs } from './sensors/event-sensors.ts';
export {
  ExternalTaskMarker,
  ExternalTaskSensor,
  type ExternalState,
  type ExternalTaskMarkerArgs,
  type ExternalTaskSensorArgs,
} from './sensors/external-task-sensor.ts';
export { FileSensor, type FileSensorArgs } from './sensors/file-sensor.ts';
export { HttpSensor, type HttpSensorArgs } from './sensors/http-sensor.ts';
export { BashSensor, PythonSensor, type BashSensorArgs } from './sensors/process-sensors.ts';
export { SqlSensor, type SqlSensorArgs } from './sensors/sql-sensor.ts';
export {
  DateTimeSensor,
  DayOfWeekSensor,
  TimeDeltaSensor,
  TimeSensor,
  type DateTimeSensorArgs,
  type DayOfWeekSensorArgs,
  type TimeDeltaSensorArgs,
  type TimeSensorArgs,
  type WeekDay,
} from './sensors/time-sensors.ts';
export {
  ApprovalOperator,
  HITLBranchOperator,
  HITLEntryOperator,
  HITLOperator,
  type ApprovalArgs,
  type HITLArgs,
  type HITLBranchArgs,
} from './human/human-operators.ts';
