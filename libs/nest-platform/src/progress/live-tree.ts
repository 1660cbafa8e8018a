import type { WriteStream } from 'node:tty';
import { isFinished, taskName, type ProgressRun, type ProgressTask } from './model.ts';
import { plainLine, renderTree } from './render.ts';

/** Where progress is written: a terminal, or any stream. */
export type ProgressOutput = Pick<NodeJS.WritableStream, 'write'> &
  Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows'>>;

export interface LiveTreeOptions {
  /** Default: whether the output is a terminal. */
  readonly live?: boolean;
  /** Default: as `live`, unless NO_COLOR is set. */
  readonly color?: boolean;
  /** Milliseconds between pictures. Default 100. */
  readonly intervalMs?: number;
  /** Default `Date.now`. */
  readonly now?: () => number;
}

/** Instances on their way to an attempt are not worth a line of their own. */
const QUIET = new Set(['none', 'scheduled', 'queued']);
/** Lines of the last picture, at most. */
const LAST_PICTURE = 200;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_BELOW = '\u001b[0J';

/**
 * Shows one run while it goes on. On a terminal the tree is drawn over the last picture, several times a second while
 * updates come; elsewhere each change is a line.
 */
export class LiveTree {
  readonly #out: ProgressOutput;
  readonly #live: boolean;
  readonly #color: boolean;
  readonly #interval: number;
  readonly #now: () => number;
  readonly #seen = new Map<string, string>();
  #run: ProgressRun | undefined;
  #tasks: readonly ProgressTask[] = [];
  #drawn = 0;
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(out: ProgressOutput, options: LiveTreeOptions = {}) {
    this.#out = out;
    this.#live = options.live ?? out.isTTY === true;
    this.#color = options.color ?? (this.#live && (process.env.NO_COLOR ?? '') === '');
    this.#interval = options.intervalMs ?? 100;
    this.#now = options.now ?? Date.now;
  }

  /** What is known now. Cheap to call often. */
  update(run: ProgressRun, tasks: readonly ProgressTask[]): void {
    if (this.#ended) return;
    this.#run = run;
    this.#tasks = tasks;
    if (!this.#live) {
      this.#writeChanges(run, tasks);
      return;
    }
    if (this.#timer !== undefined) return;
    this.#out.write(HIDE_CURSOR);
    this.#draw();
    this.#timer = setInterval(() => this.#draw(), this.#interval);
    this.#timer.unref();
  }

  /** Writes a line that stays, above the tree. */
  note(text: string): void {
    this.#erase();
    this.#out.write(`${text}\n`);
    if (this.#live && !this.#ended) this.#draw();
  }

  /** Draws the last picture, which stays, and gives the terminal back. Further calls do nothing. */
  end(): void {
    if (this.#ended) return;
    if (this.#live && this.#run !== undefined) {
      clearInterval(this.#timer);
      // Nothing is drawn over it any more, so it may be longer than the screen.
      this.#draw(LAST_PICTURE);
      this.#out.write(SHOW_CURSOR);
      this.#drawn = 0;
    }
    this.#ended = true;
  }

  #draw(mostLines = (this.#out.rows || 40) - 1): void {
    if (this.#run === undefined) return;
    this.#erase();
    // A terminal that does not know its size says 0.
    const size = { width: (this.#out.columns || 100) - 1, height: Math.max(3, mostLines) };
    const lines = renderTree(this.#run, this.#tasks, this.#now(), {
      ...size,
      color: this.#color,
      frame: this.#frame++,
    });
    this.#out.write(lines.map((line) => `${line}\n`).join(''));
    this.#drawn = lines.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\u001b[${this.#drawn}A\r${CLEAR_BELOW}`);
    this.#drawn = 0;
  }

  #writeChanges(run: ProgressRun, tasks: readonly ProgressTask[]): void {
    const changed = (key: string, state: string): boolean => {
      if (this.#seen.get(key) === state) return false;
      this.#seen.set(key, state);
      return true;
    };
    const runChanged = changed('', run.state);
    const write = (task?: ProgressTask): void => {
      const subject = task ?? run;
      const at = subject.endedAt ?? (subject.state === 'running' ? subject.startedAt : null) ?? this.#now();
      this.#out.write(`${plainLine(task === undefined ? { at, run } : { at, run, task })}\n`);
    };
    if (runChanged && !isFinished(run.state)) write();
    for (const task of tasks) {
      if (changed(taskName(task), `${task.state} ${task.tryNumber}`) && !QUIET.has(task.state)) write(task);
    }
    if (runChanged && isFinished(run.state)) write();
  }
}
