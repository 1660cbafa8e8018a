import { LiveTree } from './live-tree.ts';
import type { ProgressRun, ProgressTask } from './model.ts';
import { outline } from './outline.ts';
import { plainLine, renderTree } from './render.ts';

const run: ProgressRun = { dagId: 'orders', runId: 'manual__1', state: 'running', startedAt: 1_000, endedAt: null };
const task = (taskId: string, state = 'none', more: Partial<ProgressTask> = {}): ProgressTask => ({
  taskId,
  mapIndex: '',
  state,
  tryNumber: state === 'none' ? 0 : 1,
  startedAt: null,
  endedAt: null,
  ...more,
});
const after = (taskId: string, ...upstream: string[]): ProgressTask => task(taskId, 'none', { upstream });
const shape = (tasks: readonly ProgressTask[]) => outline(tasks).map((row) => row.prefix + row.task.taskId);

describe('outline', () => {
  it('keeps a chain at one level', () => {
    expect(shape([after('c', 'b'), after('b', 'a'), after('a')])).toEqual(['├─ a', '├─ b', '└─ c']);
  });

  it('indents a fan-out below its origin and not the task that joins it', () => {
    expect(shape([after('a'), after('b', 'a'), after('c', 'a'), after('d', 'b', 'c'), after('e', 'd')])).toEqual([
      '└─ a',
      '   ├─ b',
      '   ├─ c',
      '   ├─ d',
      '   └─ e',
    ]);
  });

  it('goes on with the line of an outer level', () => {
    expect(shape([after('a'), after('b', 'a'), after('c', 'a'), after('x')])).toEqual([
      '├─ a',
      '│  ├─ b',
      '│  └─ c',
      '└─ x',
    ]);
  });

  it('joins several roots at the first level', () => {
    expect(shape([after('a'), after('b'), after('c', 'a', 'b')])).toEqual(['├─ a', '├─ b', '└─ c']);
  });

  it('shows each instance of a mapped task and ignores an upstream that is not shown', () => {
    expect(
      outline([task('m', 'none', { mapIndex: '0', upstream: ['gone'] }), task('m', 'none', { mapIndex: '1' })]),
    ).toHaveLength(2);
  });
});

describe('tree', () => {
  const tasks = [
    task('extract', 'success', { startedAt: 1_000, endedAt: 1_120 }),
    task('load', 'running', { tryNumber: 2, startedAt: 2_000, upstream: ['extract'] }),
    task('report', 'none', { upstream: ['load'] }),
  ];

  it('shows state, try and duration', () => {
    const lines = renderTree(run, tasks, 3_500);
    expect(lines[0]).toBe('orders  manual__1  running  1/3 tasks  2.5s');
    expect(lines[1]).toMatch(/^├─ ✔ extract +success +120ms$/);
    expect(lines[2]).toMatch(/^├─ ◐ load +running +try 2 {2}1\.5s$/);
    expect(lines[3]).toMatch(/^└─ · report +none$/);
  });

  it('says why a run failed', () => {
    const failed = { ...run, state: 'failed', endedAt: 2_000, reason: 'task_failure' };
    expect(renderTree(failed, [], 9_000)[0]).toBe('orders  manual__1  failed (task_failure)  0/0 tasks  1.0s');
  });

  it('stays within its width', () => {
    const long = [
      task('a-task-with-a-name-that-goes-on-and-on-and-on-without-end', 'failed', {
        reason: 'something long '.repeat(9),
      }),
    ];
    for (const line of renderTree({ ...run, runId: 'r'.repeat(200) }, long, 2_000, { width: 60 }))
      expect(line.length).toBeLessThanOrEqual(60);
  });

  it('has colours only when asked', () => {
    const escape = String.fromCodePoint(27);
    expect(renderTree(run, tasks, 3_500).join('')).not.toContain(escape);
    expect(renderTree(run, tasks, 3_500, { color: true }).join('')).toContain(`${escape}[`);
  });

  it('sums up what does not fit and keeps what is going on', () => {
    const many = Array.from({ length: 50 }, (_, n) =>
      task(`t${n}`, n === 40 ? 'failed' : n === 45 ? 'running' : 'success'),
    );
    const lines = renderTree(run, many, 2_000, { height: 5 });
    expect(lines).toHaveLength(5);
    expect(lines.join('\n')).toContain('t40');
    expect(lines.join('\n')).toContain('t45');
    expect(lines.at(-1)).toBe('… 47 more: 47 success');
  });
});

describe('plain lines', () => {
  it('tell the time, the task, its state, try and duration', () => {
    const done = task('load', 'success', { tryNumber: 2, startedAt: 1_000, endedAt: 3_000 });
    expect(plainLine({ at: 3_000, run, task: done })).toBe('00:00:03.000  load  success  try 2  2.0s');
  });

  it('tell the reason of what did not go well', () => {
    expect(plainLine({ at: 0, run, task: task('load', 'skipped', { reason: 'branch' }) })).toBe(
      '00:00:00.000  load  skipped  (branch)',
    );
    expect(plainLine({ at: 0, run })).toBe('00:00:00.000  run orders manual__1  running');
  });
});

class Screen {
  text = '';
  write(chunk: string | Uint8Array): boolean {
    this.text += String(chunk);
    return true;
  }
}

describe('live tree', () => {
  it('writes each change once where there is no terminal', () => {
    const out = new Screen();
    const tree = new LiveTree(out, { now: () => 2_000 });
    tree.update(run, [task('a', 'queued')]);
    tree.update(run, [task('a', 'running', { startedAt: 1_500 })]);
    tree.update(run, [task('a', 'running', { startedAt: 1_500 })]);
    tree.update({ ...run, state: 'success', endedAt: 4_000 }, [
      task('a', 'success', { startedAt: 1_500, endedAt: 3_000 }),
    ]);
    tree.end();
    expect(out.text.split('\n')).toEqual([
      '00:00:01.000  run orders manual__1  running',
      '00:00:01.500  a  running',
      '00:00:03.000  a  success  1.5s',
      '00:00:04.000  run orders manual__1  success  3.0s',
      '',
    ]);
  });

  it('tells a second try apart', () => {
    const out = new Screen();
    const tree = new LiveTree(out, { now: () => 2_000 });
    tree.update(run, [task('a', 'running')]);
    tree.update(run, [task('a', 'running', { tryNumber: 2 })]);
    expect(out.text).toContain('a  running  try 2');
  });

  it('fits a small terminal, and shows all at the end', () => {
    const out = Object.assign(new Screen(), { isTTY: true as const, columns: 0, rows: 5 });
    const tree = new LiveTree(out, { color: false, now: () => 2_000, intervalMs: 60_000 });
    const tasks = Array.from({ length: 9 }, (_, n) => task(`t${n}`, 'success'));
    tree.update(run, tasks);
    expect(out.text.split('\n')).toHaveLength(5);
    expect(out.text).toContain('… 7 more: 7 success');
    out.text = '';
    tree.end();
    expect(out.text).toContain('t8');
    expect(out.text).not.toContain('more:');
  });

  it('draws over the last picture on a terminal and gives the cursor back', () => {
    const out = new Screen();
    const tree = new LiveTree(out, { live: true, color: false, now: () => 2_000, intervalMs: 60_000 });
    tree.update(run, [task('a', 'running')]);
    tree.note('a word');
    tree.update({ ...run, state: 'success', endedAt: 2_000 }, [task('a', 'success')]);
    tree.end();
    tree.end();
    expect(out.text).toContain('\u001B[2A\r\u001B[0Ja word\n');
    expect(out.text.trimEnd().endsWith('\u001B[?25h')).toBe(true);
    expect(out.text).toContain('✔ a');
  });
});
