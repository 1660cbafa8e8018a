import { formatDuration } from '@rondo/kernel';
import pc from 'picocolors';
import { elapsed, isFinished, taskName, type ProgressChange, type ProgressRun, type ProgressTask } from './model.ts';
import { outline, type OutlineRow } from './outline.ts';

export interface RenderOptions {
  /** Columns; longer lines are cut. Default 100. */
  readonly width?: number;
  /** Default false. */
  readonly color?: boolean;
  /** Most lines. What does not fit is summed up in the last one, what is going on now first to stay. Default: no limit. */
  readonly height?: number;
  /** Which picture of a running task's sign. Default 0. */
  readonly frame?: number;
}

type Colors = ReturnType<typeof pc.createColors>;

const SPINNER = ['◐', '◓', '◑', '◒'];
const SIGNS: Readonly<Record<string, string>> = {
  success: '✔',
  failed: '✖',
  upstream_failed: '✖',
  skipped: '↷',
  removed: '⌫',
  up_for_retry: '↻',
  up_for_reschedule: '↻',
  deferred: '⏸',
  restarting: '↻',
};

const signOf = (state: string, frame: number): string =>
  state === 'running' ? (SPINNER[frame % SPINNER.length] ?? '◐') : (SIGNS[state] ?? '·');

/** Colours a text as people know the state: green, red, yellow, cyan, grey. */
export function paint(colors: Colors, state: string, text: string): string {
  switch (state) {
    case 'success':
      return colors.green(text);
    case 'failed':
    case 'upstream_failed':
      return colors.red(text);
    case 'running':
      return colors.cyan(text);
    case 'up_for_retry':
    case 'up_for_reschedule':
    case 'restarting':
    case 'deferred':
      return colors.yellow(text);
    case 'skipped':
      return colors.magenta(text);
    default:
      return colors.dim(text);
  }
}

/** How urgent it is to show a row when not all can be shown; lower is sooner. */
const RANKS = [
  'failed',
  'running',
  'restarting',
  'up_for_retry',
  'deferred',
  'up_for_reschedule',
  'upstream_failed',
  'queued',
  'scheduled',
  'none',
];
const rank = (state: string): number => {
  const at = RANKS.indexOf(state);
  return at < 0 ? RANKS.length : at;
};

const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;

function countStates(tasks: readonly ProgressTask[]): string {
  const counts = new Map<string, number>();
  for (const { state } of tasks) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

function headLine(
  run: ProgressRun,
  tasks: readonly ProgressTask[],
  now: number,
  width: number,
  colors: Colors,
): string {
  const time = elapsed(run, now);
  const done = tasks.filter((task) => isFinished(task.state)).length;
  const rest = `  ${done}/${tasks.length} tasks${time === undefined ? '' : `  ${formatDuration(time)}`}`;
  const reason = run.state === 'failed' && run.reason ? ` (${run.reason})` : '';
  const title = cut(
    `${run.dagId}  ${run.runId}`,
    Math.max(10, width - rest.length - run.state.length - reason.length - 2),
  );
  return `${colors.bold(title)}  ${paint(colors, run.state, run.state + reason)}${rest}`;
}

function taskLine(
  row: OutlineRow,
  now: number,
  nameWidth: number,
  options: Required<Pick<RenderOptions, 'frame' | 'width'>>,
  colors: Colors,
): string {
  const { task, prefix } = row;
  const name = cut(taskName(task), Math.max(4, nameWidth - prefix.length)).padEnd(nameWidth - prefix.length);
  const time = elapsed(task, now);
  const details = [
    task.tryNumber > 1 ? `try ${task.tryNumber}` : '',
    time === undefined || task.state === 'skipped' ? '' : formatDuration(time),
    task.reason && task.state !== 'success' ? task.reason : '',
  ].filter((text) => text !== '');
  const tail = cut(details.join('  '), Math.max(0, options.width - nameWidth - STATE_WIDTH - 5));
  const { state } = task;
  return `${colors.dim(prefix)}${paint(colors, state, signOf(state, options.frame))} ${name}  ${paint(colors, state, state.padEnd(STATE_WIDTH))} ${tail}`.trimEnd();
}

const STATE_WIDTH = 'up_for_reschedule'.length;

/** The rows that fit, in their order, and the tasks that do not. */
function choose(
  rows: readonly OutlineRow[],
  room: number,
): { readonly shown: readonly OutlineRow[]; readonly hidden: readonly ProgressTask[] } {
  if (rows.length <= room) return { shown: rows, hidden: [] };
  const ranked = rows.map((row, index) => ({ index, rank: rank(row.task.state), ended: row.task.endedAt ?? 0 }));
  ranked.sort((a, b) => a.rank - b.rank || b.ended - a.ended || a.index - b.index);
  const kept = new Set(ranked.slice(0, Math.max(0, room - 1)).map(({ index }) => index));
  return {
    shown: rows.filter((_, index) => kept.has(index)),
    hidden: rows.filter((_, index) => !kept.has(index)).map(({ task }) => task),
  };
}

/** The run and its tasks as lines: a head, then the tree of tasks with state, try (from the second) and duration. */
export function renderTree(
  run: ProgressRun,
  tasks: readonly ProgressTask[],
  now: number,
  options: RenderOptions = {},
): string[] {
  const { width = 100, color = false, height = Number.POSITIVE_INFINITY, frame = 0 } = options;
  const colors = pc.createColors(color);
  const { shown, hidden } = choose(outline(tasks), height - 1);
  const wanted = shown.reduce((widest, { prefix, task }) => Math.max(widest, prefix.length + taskName(task).length), 0);
  const nameWidth = Math.max(12, Math.min(wanted, width - STATE_WIDTH - 20));
  const lines = shown.map((row) => taskLine(row, now, nameWidth, { frame, width }, colors));
  const more = hidden.length === 0 ? [] : [colors.dim(cut(`… ${hidden.length} more: ${countStates(hidden)}`, width))];
  return [headLine(run, tasks, now, width, colors), ...lines, ...more];
}

/** One change as one line, for an output that is no terminal. The time is UTC. */
export function plainLine(change: ProgressChange): string {
  const { at, run, task } = change;
  const clock = new Date(at).toISOString().slice(11, 23);
  const subject = task === undefined ? `run ${run.dagId} ${run.runId}` : taskName(task);
  const { state, reason } = task ?? run;
  const time = elapsed(task ?? run, at);
  const details = [
    task !== undefined && task.tryNumber > 1 ? `try ${task.tryNumber}` : '',
    time === undefined || !isFinished(state) || state === 'skipped' ? '' : formatDuration(time),
    reason && state !== 'success' ? `(${reason})` : '',
  ].filter((text) => text !== '');
  return [`${clock}  ${subject}  ${state}`, ...details].join('  ');
}
