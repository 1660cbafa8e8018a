import type { AttemptOutcome, RunReport } from '@rondo/domain';
import type { AdmissionQuestion, DagCommand, ReadyBody, ReadyMessage, SchedulerMessage } from './messages.ts';

type Known<T extends string> = Readonly<Record<T, true>>;

/** Kinds that this release knows: the compiler keeps them whole. */
export const INBOX_KINDS: Known<SchedulerMessage['kind']> = {
  command: true,
  reports: true,
  triggerAnswered: true,
  waited: true,
  restate: true,
  tick: true,
  callbackDone: true,
};

export const READY_KINDS: Known<ReadyBody['kind']> = {
  order: true,
  cancel: true,
  withdraw: true,
  reorder: true,
  deferred: true,
  undeferred: true,
  callback: true,
  watch: true,
  unwatch: true,
  durable: true,
  restated: true,
  ask: true,
};

export const COMMAND_TYPES: Known<DagCommand['type']> = {
  publishVersion: true,
  retireDag: true,
  pauseDag: true,
  unpauseDag: true,
  tellRuns: true,
  failTimetable: true,
  previewRuns: true,
  createBackfill: true,
  pauseBackfill: true,
  resumeBackfill: true,
  cancelBackfill: true,
  deleteQueuedAssets: true,
  triggerRun: true,
  clearTasks: true,
  holdTasks: true,
  prioritiseTasks: true,
  setRetries: true,
  noteTasks: true,
  holdRun: true,
  prioritiseRun: true,
  noteRun: true,
  eraseRun: true,
  archiveRun: true,
  finishArchive: true,
  restoreRun: true,
  markTasks: true,
  markRun: true,
  abortRun: true,
  changeXCom: true,
  respondApproval: true,
  explainRun: true,
  explainTask: true,
};

export const REPORT_KINDS: Known<RunReport['kind']> = {
  queued: true,
  started: true,
  finished: true,
  withdrawn: true,
  lost: true,
};

export const OUTCOME_KINDS: Known<AttemptOutcome['kind']> = {
  success: true,
  skipped: true,
  failed: true,
  trigger: true,
  defer: true,
  reschedule: true,
};

const QUESTIONS: Known<AdmissionQuestion['about']> = { attempt: true, pools: true };

/** What else stands in its place is not repeated. */
const NAME = /^\w{1,40}$/;

/** A message that a later release has sent, and this one cannot read. Its text holds nothing of the message but the name of a kind. */
export class UnknownMessageError extends Error {
  override readonly name = 'UnknownMessageError';
}

/** Throws UnknownMessageError. Fields that this release does not know stay, and are of no effect. */
export function readInbox(value: unknown): SchedulerMessage {
  const message = value as SchedulerMessage;
  check(INBOX_KINDS, message?.kind, 'message to a scheduler');
  if (message.kind !== 'reports') return message;
  for (const report of message.reports) {
    check(REPORT_KINDS, report.kind, 'report of an attempt');
    if (report.kind === 'finished') check(OUTCOME_KINDS, report.outcome.kind, 'outcome of an attempt');
  }
  return message;
}

/** Throws UnknownMessageError. Fields that this release does not know stay, and are of no effect. */
export function readReady(value: unknown): ReadyMessage {
  const message = value as ReadyMessage;
  check(READY_KINDS, message?.kind, 'message to a gateway');
  if (message.kind === 'ask') check(QUESTIONS, message.question.about, 'question to a gateway');
  return message;
}

function check(known: Known<string>, kind: unknown, what: string): void {
  if (typeof kind === 'string' && Object.hasOwn(known, kind)) return;
  const name = typeof kind === 'string' && NAME.test(kind) ? `of kind '${kind}'` : 'like it';
  throw new UnknownMessageError(`this release knows no ${what} ${name}`);
}
