import { assertNever } from '@rondo/kernel';
import type { EventWait, RunWait, WaitFor } from './wait.ts';

const list = (items: readonly string[]): string => items.join(', ');
const named = (kind: string, ids: readonly string[] | undefined): string =>
  ids === undefined || ids.length === 0
    ? ''
    : `${kind}${ids.length === 1 ? '' : 's'} ${ids.map((id) => `'${id}'`).join(', ')}`;

/** What an instance waits for, in words: `waits for …`. */
export function describeWait(wait: WaitFor): string {
  switch (wait.kind) {
    case 'dagRun':
      return `waits for run '${wait.request.runId}' of DAG '${wait.request.dagId}'`;
    case 'poll':
      return `is polled every ${wait.everyMs / 1_000} s${wait.backoff === true ? ', at growing intervals,' : ''} until its condition holds`;
    case 'trigger':
      return `waits for its trigger '${wait.trigger}'`;
    case 'time':
      return `waits until ${new Date(wait.until).toISOString()}`;
    case 'event':
      return describeEvent(wait);
    case 'run':
      return describeRun(wait);
    case 'asset':
      return `waits for an update of asset ${wait.name === undefined ? `with URI '${wait.uri ?? ''}'` : `'${wait.name}'`}`;
    case 'approval':
      return `waits for ${wait.assignees === undefined ? 'somebody' : list(wait.assignees)} to answer '${wait.subject}' (${list(wait.options)})`;
    default:
      return assertNever(wait, 'wait');
  }
}

function describeEvent(wait: EventWait): string {
  const { count = 1, source, subject, filter } = wait;
  const parts = [
    ...(source === undefined ? [] : [`from '${source}'`]),
    ...(subject === undefined ? [] : [`about '${subject}'`]),
    ...(filter === undefined ? [] : ['that its filter lets through']),
  ];
  const what = count === 1 ? `an event of type '${wait.eventType}'` : `${count} events of type '${wait.eventType}'`;
  return ['waits for', what, ...parts].join(' ');
}

function describeRun(wait: RunWait): string {
  const run =
    wait.runId === undefined
      ? `the run of DAG '${wait.dagId}'${wait.logicalDate === undefined ? '' : ` for ${new Date(wait.logicalDate).toISOString()}`}`
      : `run '${wait.runId}' of DAG '${wait.dagId}'`;
  const parts = [named('task', wait.taskIds), named('group', wait.groupIds)].filter((part) => part !== '');
  return `waits for ${parts.length === 0 ? run : `${parts.join(' and ')} in ${run}`} to be ${wait.allowedStates.join(' or ')}`;
}
