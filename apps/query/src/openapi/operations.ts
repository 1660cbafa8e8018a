import { BACKFILL_OPERATIONS } from '../backfills/backfills.operations.ts';
import { ALERT_OPERATIONS } from '../alerts/alerts.operations.ts';
import { APPROVAL_OPERATIONS } from '../approvals/approvals.operations.ts';
import { ASSET_OPERATIONS } from '../assets/assets.operations.ts';
import { CONNECTION_OPERATIONS } from '../connections/connections.operations.ts';
import { DAG_OPERATIONS } from '../dags/dags.operations.ts';
import { DEAD_LETTER_OPERATIONS } from '../dead-letters/dead-letters.operations.ts';
import { EVENT_OPERATIONS } from '../events/events.operations.ts';
import type { Operation } from '../http/operation.ts';
import { POOL_OPERATIONS } from '../pools/pools.operations.ts';
import { CONTROL_OPERATIONS } from '../runs/control.operations.ts';
import { RUN_OPERATIONS } from '../runs/runs.operations.ts';
import { SENSOR_EVENT_OPERATIONS } from '../sensor-events/sensor-events.operations.ts';
import { SYSTEM_OPERATIONS } from '../system/system.operations.ts';
import { TASK_OPERATIONS } from '../task-instances/tasks.operations.ts';
import { VARIABLE_OPERATIONS } from '../variables/variables.operations.ts';
import { WORKER_OPERATIONS } from '../workers/workers.operations.ts';
import { XCOM_OPERATIONS } from '../xcoms/xcoms.operations.ts';

/** Every operation of the API, in the order in which the document lists them. */
export const OPERATIONS: readonly Operation[] = [
  ...DAG_OPERATIONS,
  ...RUN_OPERATIONS,
  ...CONTROL_OPERATIONS,
  ...BACKFILL_OPERATIONS,
  ...TASK_OPERATIONS,
  ...XCOM_OPERATIONS,
  ...EVENT_OPERATIONS,
  ...SENSOR_EVENT_OPERATIONS,
  ...APPROVAL_OPERATIONS,
  ...VARIABLE_OPERATIONS,
  ...CONNECTION_OPERATIONS,
  ...POOL_OPERATIONS,
  ...ASSET_OPERATIONS,
  ...WORKER_OPERATIONS,
  ...DEAD_LETTER_OPERATIONS,
  ...ALERT_OPERATIONS,
  ...SYSTEM_OPERATIONS,
];
