import {
  cancelBackfill,
  createBackfill,
  failTimetable,
  pauseBackfill,
  planBackfill,
  previewRuns,
  tellRuns,
  type CreateBackfill,
  type DagDefinition,
  type DagRefusal,
  type PlannedDate,
} from '@rondo/domain';
import { assertNever, type Json, type Result } from '@rondo/kernel';
import type { CommandMessage, DagCommand } from '@rondo/contracts';
import type { DagBatch } from './batch.ts';
import { accept, causeOf, refuse, type Draft } from './drafts.ts';

type ScheduleCommand = Extract<
  DagCommand,
  {
    readonly type:
      | 'tellRuns'
      | 'failTimetable'
      | 'previewRuns'
      | 'createBackfill'
      | 'pauseBackfill'
      | 'resumeBackfill'
      | 'cancelBackfill';
  }
>;

const OTHERS: ReadonlySet<string> = new Set(['tellRuns', 'failTimetable', 'previewRuns']);

export function isScheduleCommand(command: DagCommand): command is ScheduleCommand {
  const { type } = command;
  return OTHERS.has(type) || type.endsWith('Backfill');
}

/** A command about the dates of a DAG. `definition`: its newest version. */
export function decideScheduleCommand(
  batch: DagBatch,
  message: CommandMessage,
  command: ScheduleCommand,
  definition: DagDefinition | undefined,
): Draft {
  const { dagId } = message;
  const d = batch.decision;
  if (definition === undefined) return refuse('not_found', `there is no DAG '${dagId}'`);
  batch.setDagCause(causeOf(message));
  switch (command.type) {
    case 'tellRuns':
      tellRuns(d, command.version, command.after, command);
      return accept({ dagId });
    case 'failTimetable':
      failTimetable(d, command.version, command.error);
      return accept({ dagId });
    case 'previewRuns': {
      const error = d.dag.told?.failure?.error;
      const runs = previewRuns(d.dag, d.now, command.count) as unknown as Json;
      return accept({ runs, ...(error === undefined ? {} : { problem: error }) });
    }
    case 'createBackfill': {
      const { type: _type, dryRun, ...asked } = command;
      if (dryRun !== undefined) return planDraft(planBackfill(d, asked, definition), dryRun);
      const key = asked.key ?? message.commandId;
      const created = createBackfill(d, { ...asked, key } satisfies CreateBackfill, definition);
      return draftOf(created, (value) => ({ dagId, ...value }));
    }
    case 'pauseBackfill':
    case 'resumeBackfill': {
      const { backfillId } = command;
      const done = pauseBackfill(d, backfillId, command.type === 'pauseBackfill');
      return draftOf(done, () => ({ dagId, backfillId }));
    }
    case 'cancelBackfill':
      return draftOf(cancelBackfill(d, command.backfillId), () => ({ dagId, backfillId: command.backfillId }));
    default:
      return assertNever(command, 'command');
  }
}

function draftOf<T>(done: Result<T, DagRefusal>, result: (value: T) => { readonly [name: string]: Json }): Draft {
  return done.ok ? accept(result(done.value)) : refuse(done.error.code, done.error.message);
}

/** The counts of all dates, and one page of them. */
function planDraft(
  planned: Result<readonly PlannedDate[], DagRefusal>,
  page: { readonly offset: number; readonly limit: number },
): Draft {
  return draftOf(planned, (dates) => {
    const count = { create: 0, clear: 0, pass: 0 };
    for (const { action } of dates) count[action]++;
    const items = dates.slice(page.offset, page.offset + page.limit) as unknown as Json;
    return { total: dates.length, ...count, items };
  });
}
