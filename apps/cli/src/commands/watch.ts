import { setTimeout as sleep } from 'node:timers/promises';
import { LiveTree, isFinished } from '@rondo/nest-platform/progress';
import type { Context } from '../context.ts';
import type { DagDetail, Page, RunAnswer, TaskAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { EXIT, RefusedError } from '../exit-codes.ts';

const PAGE = 1_000;
/** Between two looks at a run; longer for one with so many tasks that a look takes several pages. */
const PAUSE_MS = 250;

export type PlacedTask = TaskAnswer & { readonly upstream?: readonly string[] };

/** Every task instance of a run, each with its upstream tasks as the run's own version of the DAG has them. */
export class RunView {
  readonly #context: Context;
  readonly #dagId: string;
  readonly #runId: string;
  readonly #asOf: string | undefined;
  #upstream: ReadonlyMap<string, readonly string[]> | undefined;

  /** `asOf`: a position of the history or a time; default now. */
  constructor(context: Context, dagId: string, runId: string, asOf?: string) {
    this.#asOf = asOf;
    this.#context = context;
    this.#dagId = dagId;
    this.#runId = runId;
  }

  /** `filter`: only those of a task, under a map index, or with a name. Default: all. */
  async look(
    filter: Readonly<Record<'taskId' | 'name' | 'under', string | undefined>> = {
      taskId: undefined,
      name: undefined,
      under: undefined,
    },
  ): Promise<{ readonly run: RunAnswer; readonly tasks: readonly PlacedTask[] }> {
    const route = path('dags', this.#dagId, 'runs', this.#runId);
    const run = await this.#context.api.get<RunAnswer>(route, { asOf: this.#asOf });
    this.#upstream ??= await this.#edges(run);
    const tasks: PlacedTask[] = [];
    for (let total = 1; tasks.length < total;) {
      const page = await this.#context.api.get<Page<TaskAnswer>>(`${route}/tasks`, {
        limit: PAGE,
        offset: tasks.length,
        asOf: this.#asOf,
        ...filter,
      });
      if (page.items.length === 0) break;
      total = page.total;
      for (const task of page.items) tasks.push({ ...task, upstream: this.#upstream.get(task.taskId) ?? [] });
    }
    return { run, tasks };
  }

  async #edges(run: RunAnswer): Promise<ReadonlyMap<string, readonly string[]>> {
    const { definition } = await this.#context.api.get<DagDetail>(path('dags', this.#dagId), {
      version: run.version ?? undefined,
    });
    return new Map(definition.tasks.map((task) => [task.taskId, task.upstream]));
  }
}

/** Shows a run until it ends or the user interrupts. Exit status 1 if it fails. */
export async function watchRun(context: Context, dagId: string, runId: string): Promise<void> {
  const view = new RunView(context, dagId, runId);
  const interrupt = context.terminal.onInterrupt();
  // Programs get the outcome alone on the standard output; the progress goes where people look.
  const output = context.json ? context.terminal.stderr : context.terminal.stdout;
  const tree = new LiveTree({ ...streamOf(output) }, { live: output.isTTY === true, color: context.color });
  try {
    for (;;) {
      const { run, tasks } = await view.look();
      tree.update(run, tasks);
      if (isFinished(run.state)) {
        tree.end();
        if (context.json) context.answer({ run, tasks }, () => '');
        context.exitCode = run.state === 'success' ? EXIT.ok : EXIT.failed;
        return;
      }
      await sleep(PAUSE_MS * Math.max(1, tasks.length / PAGE), undefined, { signal: interrupt });
    }
  } catch (error) {
    if (!interrupt.aborted) throw error;
    throw new RefusedError({ title: `no longer watching; run ${runId} of ${dagId} goes on` });
  } finally {
    tree.end();
  }
}

const streamOf = (output: Context['terminal']['stdout']) => ({
  write: (text: string | Uint8Array): boolean => {
    output.write(String(text));
    return true;
  },
  get columns() {
    return output.columns ?? 0;
  },
  get rows() {
    return output.rows ?? 0;
  },
});
