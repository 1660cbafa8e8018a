import { plainLine, renderTree, type ProgressRun, type ProgressTask } from '@rondo/nest-platform/progress';
import { runCallback } from '@rondo/sdk';
import {
  grantedTo,
  leavesOf,
  instanceKey,
  manualInterval,
  runIdFor,
  type AttemptRef,
  type AttemptRunContext,
  type DagRunState,
  type InstanceState,
  type TriggerAnswer,
  type TriggerRequest,
} from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import { type Context, parseDate, readJson } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { executeBody, inputsOf, resumeOf, taskLog, type BodyOptions } from './execute.ts';
import { GivenAnswers, type GivenOptions } from './given-answers.ts';
import { loadDag, type LoadedDag } from './load.ts';
import { MemoryRun } from './memory-run.ts';
import { MemoryServices } from './services.ts';
import { watchHere } from './watch.ts';

export interface DagTestOptions extends GivenOptions {
  readonly dags?: string;
  readonly dag?: string;
  readonly conf?: string;
  readonly date?: string;
}

/** What the run says of itself: manual, with the interval that a manual run of now or of the given date has. */
export function contextOf(loaded: LoadedDag, date: number | undefined, conf: Json): AttemptRunContext {
  const now = Date.now();
  const runAfter = date ?? now;
  return {
    runType: 'manual',
    logicalDate: runAfter,
    dataInterval: manualInterval(loaded.definition.timetable, runAfter),
    runAfter,
    startedAt: now,
    conf,
    triggeredBy: 'test',
  };
}

interface Ended {
  readonly state: DagRunState;
  readonly runId: string;
  readonly tasks: readonly ProgressTask[];
  readonly services: MemoryServices;
}

/** Runs one DAG to its end; each change is a line. A DAG that a task triggers and waits for is run the same way. */
class Tester {
  readonly #context: Context;
  readonly #folder: string | undefined;
  readonly #given: GivenAnswers;
  readonly #signal: AbortSignal;

  constructor(context: Context, folder: string | undefined, given: GivenAnswers) {
    this.#context = context;
    this.#given = given;
    this.#folder = folder;
    this.#signal = context.terminal.onInterrupt();
  }

  async run(loaded: LoadedDag, runId: string, run: AttemptRunContext): Promise<Ended> {
    const { env } = this.#context.terminal;
    const services = new MemoryServices(env);
    const tasks = new TaskTimes();
    const bodyOf = (attempt: AttemptRef, instance: InstanceState): BodyOptions => ({
      loaded,
      attempt,
      run,
      services,
      env,
      signal: this.#signal,
      maxTries: instance.maxTries + 1,
      ...(instance.mapIndex.length === 0 ? {} : { instances: memory.state.tasks[instance.task.index]!.size }),
      granted: grantedTo(memory.state, instance),
      inputs: inputsOf(memory.state, instance),
      log: taskLog(this.#context, attempt.taskId),
    });
    const memory: MemoryRun = new MemoryRun({
      loaded,
      runId,
      run,
      services,
      trigger: (request) => this.#trigger(request),
      settle: (d, attempt, instance, wait) => this.#given.settle(d, attempt, instance, wait),
      onEvent: (event, state) => {
        for (const task of tasks.follow(state))
          this.#context.warn(plainLine({ at: Date.now(), run: progressOf(state, runId), task }));
        if (event.type === 'TaskFailed' || event.type === 'TaskRetryScheduled')
          this.#context.warn(`[${event.data.taskId}] ${event.data.error.message}`);
      },
      execute: (attempt, instance) => executeBody({ ...bodyOf(attempt, instance), ...resumeOf(instance) }),
      watch: (attempt, instance, wait, over) =>
        watchHere({
          ...bodyOf(attempt, instance),
          wait,
          since: instance.waitingSince ?? Date.now(),
          deadline: instance.deferral?.deadline,
          signal: AbortSignal.any([this.#signal, over]),
        }),
    });
    const state = await memory.run();
    await this.#callback(loaded, runId, run, state, services);
    return { state, runId, tasks: tasks.all(state), services };
  }

  async #trigger(request: TriggerRequest & { readonly runId: string }): Promise<TriggerAnswer> {
    const loaded = await loadDag(this.#context, { fileOrId: request.dagId, folder: this.#folder }).catch(
      (error: unknown) => error as Error,
    );
    if (loaded instanceof Error) return { kind: 'refused', message: loaded.message, alreadyExists: false };
    if (!request.wait)
      this.#context.warn(`run ${request.runId} of ${request.dagId}, which nothing waits for, is not started in a test`);
    if (!request.wait) return { kind: 'accepted' };
    const { state } = await this.run(
      loaded,
      request.runId,
      contextOf(loaded, request.logicalDate, request.conf ?? null),
    );
    return { kind: 'ended', state: state.state === 'success' ? 'success' : 'failed' };
  }

  async #callback(
    loaded: LoadedDag,
    runId: string,
    run: AttemptRunContext,
    state: DagRunState,
    services: MemoryServices,
  ): Promise<void> {
    const callback = state.state === 'success' ? 'onSuccess' : 'onFailure';
    if (!loaded.definition.callbacks.includes(callback)) return;
    const { dagId, file } = loaded.definition;
    await runCallback({
      dag: loaded.dag,
      root: loaded.root,
      services,
      signal: this.#signal,
      log: taskLog(this.#context, callback),
      env: {},
      input: {
        id: `${dagId}:${runId}::${callback}`,
        bundle: { hash: '', file },
        dagId,
        runId,
        callback,
        reason: state.reason ?? '',
        run,
        position: 0,
      },
    });
  }
}

const keyOf = ({ task, mapIndex }: InstanceState): string => instanceKey(task.def.taskId, mapIndex);

/** States of instances as people see them, with the times at which they changed. */
class TaskTimes {
  readonly #known = new Map<string, ProgressTask>();

  /** The instances that changed and are worth a line. */
  follow(state: DagRunState): readonly ProgressTask[] {
    const now = Date.now();
    const changed: ProgressTask[] = [];
    for (const runtime of state.tasks) {
      const { plan } = runtime;
      for (const instance of leavesOf(runtime)) {
        const mapIndex = instance.mapIndex.join('.');
        const key = keyOf(instance);
        const before = this.#known.get(key);
        if (before?.state === instance.state && before.tryNumber === instance.tryNumber) continue;
        const running = instance.state === 'running';
        const task: ProgressTask = {
          taskId: plan.def.taskId,
          mapIndex,
          state: instance.state,
          tryNumber: instance.tryNumber,
          startedAt: running ? now : before?.tryNumber === instance.tryNumber ? before.startedAt : null,
          endedAt: running || instance.state === 'scheduled' || instance.state === 'none' ? null : now,
          upstream: plan.def.upstream,
        };
        this.#known.set(key, task);
        if (instance.state !== 'none' && instance.state !== 'scheduled' && instance.state !== 'queued')
          changed.push(task);
      }
    }
    return changed;
  }

  all(state: DagRunState): readonly ProgressTask[] {
    this.follow(state);
    // What stood for instances that were not there yet is gone.
    return state.tasks.flatMap((runtime) =>
      Array.from(leavesOf(runtime), (instance) => this.#known.get(keyOf(instance))!),
    );
  }
}

const progressOf = (state: DagRunState, runId: string): ProgressRun => ({
  dagId: state.plan.definition.dagId,
  runId,
  state: state.state,
  startedAt: state.startedAt,
  endedAt: state.endedAt ?? null,
  reason: state.reason ?? null,
});

/** `rondo dags test`: logs and changes go to stderr; the tree, or one JSON object, to stdout. */
export async function testDag(context: Context, fileOrId: string, options: DagTestOptions): Promise<void> {
  const loaded = await loadDag(context, { fileOrId, folder: options.dags, dagId: options.dag });
  const conf = options.conf === undefined ? null : ((await readJson(context, options.conf, '--conf')) as Json);
  const run = contextOf(loaded, options.date === undefined ? undefined : parseDate(options.date, '--date'), conf);
  const given = await GivenAnswers.read(context, options);
  const { state, runId, tasks, services } = await new Tester(context, options.dags, given).run(
    loaded,
    runIdFor('manual', run.runAfter, 'test'),
    run,
  );
  context.exitCode = state.state === 'success' ? EXIT.ok : EXIT.failed;
  const progress = progressOf(state, runId);
  context.answer({ ...progress, tasks, returned: services.returned() }, () =>
    renderTree(progress, tasks, Date.now(), {
      color: context.color,
      width: context.terminal.stdout.columns || 120,
    }).join('\n'),
  );
}
