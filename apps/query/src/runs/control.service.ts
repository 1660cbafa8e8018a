import { Inject, Injectable } from '@nestjs/common';
import type { Actor, DagCommand, InstanceSelection } from '@rondo/contracts';
import type { JsonObject } from '@rondo/kernel';
import type { DagRunRow, Position, ReadModels } from '@rondo/ports';
import { Commands } from '../commands.ts';
import { Positioned } from '../http/position.ts';
import { HttpProblem, notFound } from '../http/problem.ts';
import { ARCHIVES, READ_MODELS } from '../options.ts';
import { noRun } from './runs.service.ts';

/** Which runs of a DAG. */
export interface RunChoice {
  readonly runIds?: readonly string[];
  /** Epoch milliseconds. */
  readonly logicalDateGte?: number;
  readonly logicalDateLte?: number;
}

export interface Changes {
  readonly priority?: number | null;
  readonly retries?: number;
  readonly note?: string;
}

type OfRun = (runId: string) => DagCommand;

const PAGE = 1_000;

/** What is done to runs and their tasks while they go on. */
@Injectable()
export class ControlService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(ARCHIVES) private readonly archives: boolean,
  ) {}

  async touch(dagId: string, actor: Actor, command: DagCommand): Promise<Positioned<JsonObject>> {
    const { position, result } = await this.commands.sendAndSettle(dagId, actor, command);
    return new Positioned(position, { instances: [], ...result });
  }

  async reasons(dagId: string, runId: string, actor: Actor): Promise<Positioned<JsonObject>> {
    const { position, result } = await this.commands.send(dagId, actor, { type: 'explainRun', runId });
    return new Positioned(position, result);
  }

  async abort(dagId: string, runId: string, actor: Actor): Promise<Positioned<DagRunRow>> {
    const { position } = await this.commands.sendAndSettle(dagId, actor, { type: 'abortRun', runId });
    return this.runAt(dagId, runId, position);
  }

  async erase(dagId: string, runId: string, actor: Actor): Promise<Positioned<DagRunRow>> {
    const { position } = await this.commands.sendAndSettle(dagId, actor, { type: 'eraseRun', runId });
    return this.runAt(dagId, runId, position);
  }

  async archive(dagId: string, runId: string, actor: Actor): Promise<Positioned<DagRunRow>> {
    if (!this.archives)
      throw new HttpProblem(
        409,
        'Not archived here',
        'a platform of one process is archived while it does not run: rondo archive runs',
      );
    const { position } = await this.commands.sendAndSettle(dagId, actor, { type: 'archiveRun', runId });
    return this.runAt(dagId, runId, position);
  }

  async restore(dagId: string, runId: string, actor: Actor): Promise<Positioned<DagRunRow>> {
    const { position } = await this.commands.sendAndSettle(dagId, actor, { type: 'restoreRun', runId });
    return this.runAt(dagId, runId, position);
  }

  async patchRun(dagId: string, runId: string, changes: Changes, actor: Actor): Promise<Positioned<DagRunRow>> {
    const { priority, retries, note } = changes;
    let position: Position = 0;
    const send = async (command: DagCommand): Promise<void> => {
      ({ position } = await this.commands.sendAndSettle(dagId, actor, command));
    };
    if (retries !== undefined) await send({ type: 'setRetries', runId, selection: {}, retries });
    if (priority !== undefined) await send({ type: 'prioritiseRun', runId, priority });
    if (note !== undefined) await send({ type: 'noteRun', runId, note });
    return this.runAt(dagId, runId, position);
  }

  async patchTasks(
    dagId: string,
    runId: string,
    selection: InstanceSelection,
    { priority, retries, note }: Changes,
    actor: Actor,
  ): Promise<Positioned<JsonObject>> {
    const about = { runId, selection };
    const commands: DagCommand[] = [
      ...(priority === undefined ? [] : [{ type: 'prioritiseTasks', ...about, priority } as const]),
      ...(retries === undefined ? [] : [{ type: 'setRetries', ...about, retries } as const]),
      ...(note === undefined ? [] : [{ type: 'noteTasks', ...about, note } as const]),
    ];
    let answer: Positioned<JsonObject> | undefined;
    for (const command of commands) answer = await this.touch(dagId, actor, command);
    return answer!;
  }

  /** The command for each run of the choice, by logical date; one that its run refuses is told with that run. */
  async touchRuns(dagId: string, actor: Actor, choice: RunChoice, commandOf: OfRun): Promise<Positioned<JsonObject>> {
    if ((await this.readModels.dag(dagId)) === undefined) throw notFound(`there is no DAG '${dagId}'`);
    const runIds = choice.runIds ?? (await this.runsWithin(dagId, choice));
    let position = await this.readModels.position();
    const runs: JsonObject[] = [];
    for (const runId of runIds) {
      try {
        const accepted = await this.commands.send(dagId, actor, commandOf(runId));
        position = Math.max(position, accepted.position);
        runs.push({ instances: [], ...accepted.result, runId });
      } catch (error) {
        if (!(error instanceof HttpProblem) || error.status !== 409) throw error;
        runs.push({ runId, instances: [], refused: error.message });
      }
    }
    await this.readModels.settled(position);
    return new Positioned(position, { runs });
  }

  /** The run itself and those before or after it. A run without a logical date has neither. */
  async around(dagId: string, runId: string, past: boolean, future: boolean): Promise<RunChoice> {
    const run = await this.readModels.run(dagId, runId);
    if (run === undefined) throw noRun(dagId, runId, undefined);
    if (run.logicalDate === null) return { runIds: [runId] };
    return {
      ...(past ? {} : { logicalDateGte: run.logicalDate }),
      ...(future ? {} : { logicalDateLte: run.logicalDate }),
    };
  }

  private async runsWithin(dagId: string, { logicalDateGte, logicalDateLte }: RunChoice): Promise<string[]> {
    const filter = {
      dagId,
      orderBy: 'runAfter' as const,
      ...(logicalDateGte === undefined ? {} : { logicalDateGte }),
      ...(logicalDateLte === undefined ? {} : { logicalDateLte }),
    };
    const found: DagRunRow[] = [];
    for (;;) {
      const page = await this.readModels.runs(filter, { offset: found.length, limit: PAGE });
      found.push(...page.items);
      if (page.items.length < PAGE) break;
    }
    return found
      .filter((run) => run.logicalDate !== null)
      .sort((a, b) => a.logicalDate! - b.logicalDate!)
      .map((run) => run.runId);
  }

  private async runAt(dagId: string, runId: string, position: Position): Promise<Positioned<DagRunRow>> {
    const run = await this.readModels.run(dagId, runId);
    if (run === undefined) throw noRun(dagId, runId, undefined);
    return new Positioned(position, run);
  }
}
