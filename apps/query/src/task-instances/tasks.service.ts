import { Inject, Injectable } from '@nestjs/common';
import type { Actor, AdmissionQueries, ReasonView } from '@rondo/contracts';
import type { Demand } from '@rondo/domain';
import type { JsonObject } from '@rondo/kernel';
import type { Page, Paged, ReadModels, RenderedFieldsRow, TaskFilter, TaskInstanceRow, TaskTryRow } from '@rondo/ports';
import { Commands } from '../commands.ts';
import { Snapshots, type RunSnapshot } from '../history/snapshots.ts';
import { Positioned } from '../http/position.ts';
import { notFound, refuseErased } from '../http/problem.ts';
import { ADMISSION, READ_MODELS } from '../options.ts';
import { noRun } from '../runs/runs.service.ts';

export interface InstanceName {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: string;
}

@Injectable()
export class TasksService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(Snapshots) private readonly snapshots: Snapshots,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(ADMISSION) private readonly admission: AdmissionQueries,
  ) {}

  async list(filter: TaskFilter, page: Page): Promise<Positioned<Paged<TaskInstanceRow>>> {
    const position = await this.readModels.position();
    return new Positioned(position, await this.readModels.taskInstances(filter, page));
  }

  async listOf(
    dagId: string,
    runId: string,
    filter: TaskFilter,
    page: Page,
    asOf: string | undefined,
  ): Promise<Positioned<Paged<TaskInstanceRow>>> {
    const snapshot = await this.snapshotOf(dagId, runId, asOf);
    return new Positioned(snapshot.position, await snapshot.tasks(filter, page));
  }

  async get(name: InstanceName, asOf: string | undefined): Promise<Positioned<TaskInstanceRow>> {
    const snapshot = await this.snapshotOf(name.dagId, name.runId, asOf);
    return new Positioned(snapshot.position, await this.need(snapshot, name));
  }

  async tries(name: InstanceName, asOf: string | undefined): Promise<Positioned<Paged<TaskTryRow>>> {
    const snapshot = await this.snapshotOf(name.dagId, name.runId, asOf);
    const current = await this.need(snapshot, name);
    const earlier = (await snapshot.tries(name.taskId, name.mapIndex)).filter(
      (row) => row.tryNumber !== current.tryNumber || current.startedAt === null,
    );
    const begun = current.tryNumber > 0 && !earlier.some((row) => row.tryNumber === current.tryNumber);
    const {
      maxTries: _maxTries,
      operator: _operator,
      pool: _pool,
      queue: _queue,
      retryAt: _retryAt,
      mapIndexName: _mapIndexName,
      ...latest
    } = current;
    const items = begun ? [...earlier, latest] : earlier;
    return new Positioned(snapshot.position, { items, total: items.length });
  }

  async rendered(
    name: InstanceName,
    tryNumber: number | undefined,
    asOf: string | undefined,
  ): Promise<Positioned<RenderedFieldsRow>> {
    const snapshot = await this.snapshotOf(name.dagId, name.runId, asOf);
    const wanted = tryNumber ?? (await this.need(snapshot, name)).tryNumber;
    refuseErased((await snapshot.run())!, 'its rendered fields are');
    const row = await snapshot.rendered(name.taskId, name.mapIndex, wanted);
    if (row === undefined) throw notFound(`${labelOf(name)} has no rendered fields of try ${wanted}`);
    return new Positioned(snapshot.position, row);
  }

  /** From the scheduler itself, and from the gateway for what it has published: what decides also explains. */
  async reasons(name: InstanceName, actor: Actor): Promise<Positioned<JsonObject>> {
    const { dagId, runId, taskId, mapIndex } = name;
    const { position, result } = await this.commands.send(dagId, actor, {
      type: 'explainTask',
      runId,
      taskId,
      mapIndex,
    });
    const { reasons, demand, attempt, ...view } = result as unknown as ExplainAnswer;
    const about = demand === undefined ? [] : await this.admissionOf(attempt, demand);
    return new Positioned(position, { ...view, reasons: [...reasons, ...about] } as unknown as JsonObject);
  }

  private async admissionOf(attempt: string, demand: Demand): Promise<readonly ReasonView[]> {
    const { stand, reasons } = await this.admission.admissionOf(attempt, demand);
    return stand === 'waiting' ? [...reasons, WAITS] : reasons;
  }

  /** Refuses a run that is not there. */
  async snapshotOf(dagId: string, runId: string, asOf: string | undefined): Promise<RunSnapshot> {
    const snapshot = await this.snapshots.of(dagId, runId, asOf);
    if ((await snapshot.run()) === undefined)
      throw noRun(dagId, runId, asOf === undefined ? undefined : snapshot.position);
    return snapshot;
  }

  /** Refuses an instance that is not there. */
  async need(snapshot: RunSnapshot, name: InstanceName): Promise<TaskInstanceRow> {
    const row = await snapshot.task(name.taskId, name.mapIndex);
    if (row === undefined) throw notFound(`there is no ${labelOf(name)}`);
    return row;
  }
}

/** What a scheduler answers: its rules, and what an attempt would ask for. */
interface ExplainAnswer {
  readonly state: string;
  readonly tryNumber: number;
  readonly reasons: readonly ReasonView[];
  /** Absent for an instance that no attempt is to be expected of. */
  readonly demand?: Demand;
  readonly attempt: string;
}

const WAITS: ReasonView = { rule: 'admission', passed: false, reason: 'published; waits to be admitted' };

export function labelOf({ dagId, runId, taskId, mapIndex }: InstanceName): string {
  return `task instance '${taskId}${mapIndex === '' ? '' : `[${mapIndex}]`}' of run '${runId}' of DAG '${dagId}'`;
}
