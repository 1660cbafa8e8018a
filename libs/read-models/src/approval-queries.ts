import type { ApprovalResponse, ApprovalWait } from '@rondo/domain';
import type { ApprovalFilter, ApprovalRow, ApprovalState, Page, Paged } from '@rondo/ports';
import { sql, type Expression, type SqlBool } from 'kysely';
import { pageOf } from './paging.ts';
import type { ApprovalsTable } from './schema.ts';
import { dialectOf, type Db, type Dialect } from './dialect.ts';

/** A question is open while its instance still waits with the attempt that asked it. */
const stateIn = (dialect: Dialect) => sql<ApprovalState>`case
  when approvals.response is not null then
    case when ${dialect.isTrue(sql.ref('approvals.response'), 'timedOut')} then 'timed_out' else 'answered' end
  when task_instances.state = 'deferred' and task_instances.try_number = approvals.try_number
    and task_instances.leg = approvals.leg then 'open'
  else 'closed' end`;

export async function findApprovals(db: Db, filter: ApprovalFilter, page: Page): Promise<Paged<ApprovalRow>> {
  const dialect = dialectOf(db);
  const state = stateIn(dialect);
  const matching = db
    .selectFrom('approvals')
    .innerJoin('runs', 'runs.run_no', 'approvals.run_no')
    .innerJoin('task_instances', (join) =>
      join
        .onRef('task_instances.run_no', '=', 'approvals.run_no')
        .onRef('task_instances.task_id', '=', 'approvals.task_id')
        .onRef('task_instances.map_index', '=', 'approvals.map_index'),
    )
    .where((eb) => {
      const all: Expression<SqlBool>[] = [];
      if (filter.dagId !== undefined) all.push(eb('runs.dag_id', '=', filter.dagId));
      if (filter.runId !== undefined) all.push(eb('runs.run_id', '=', filter.runId));
      if (filter.taskId !== undefined) all.push(eb('approvals.task_id', '=', filter.taskId));
      if (filter.mapIndex !== undefined) all.push(eb('approvals.map_index', '=', filter.mapIndex));
      if (filter.state !== undefined) all.push(eb(state, 'in', filter.state));
      if (filter.assignee !== undefined) all.push(mayAnswer(dialect, filter.assignee));
      return eb.and(all);
    });
  const ordered = matching
    .selectAll('approvals')
    .select(['runs.dag_id', 'runs.run_id', state.as('state')])
    .orderBy('approvals.asked_at', 'desc')
    .orderBy('approvals.run_no', 'desc')
    .orderBy('approvals.task_id')
    .orderBy('approvals.map_index')
    .orderBy('approvals.leg', 'desc');
  return pageOf(ordered, matching, page, approvalRow);
}

function mayAnswer(dialect: Dialect, user: string): Expression<SqlBool> {
  const wait = sql.ref('approvals.wait');
  return sql<SqlBool>`(${dialect.isMissing(wait, 'assignees')} or ${user} in ${dialect.texts(wait, 'assignees')})`;
}

function approvalRow(
  row: ApprovalsTable & { readonly dag_id: string; readonly run_id: string; readonly state: ApprovalState },
): ApprovalRow {
  const wait = JSON.parse(row.wait) as ApprovalWait;
  return {
    dagId: row.dag_id,
    runId: row.run_id,
    taskId: row.task_id,
    mapIndex: row.map_index,
    tryNumber: row.try_number,
    leg: row.leg,
    state: row.state,
    subject: wait.subject,
    body: wait.body ?? null,
    options: wait.options,
    multiple: wait.multiple,
    defaults: wait.defaults ?? null,
    params: wait.params ?? {},
    assignees: wait.assignees ?? null,
    askedAt: row.asked_at,
    deadline: row.deadline,
    response: row.response === null ? null : (JSON.parse(row.response) as ApprovalResponse),
  };
}
