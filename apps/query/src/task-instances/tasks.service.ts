import { Inject, Injectable } from '@nestjs/common';
import type { Actor, AdmissionQueries } from '@rondo/contracts';
import { attemptId } from '@rondo/domain';
import type { JsonObject } from '@rondo/kernel';
import type { Page, Paged, ReadModels, RenderedFieldsRow, TaskFilter, TaskInstanceRow, TaskTryRow } from '@rondo/ports';
import { Commands } from '../commands.ts';
import { Snapshots, type RunSnapshot } from '../history/snapshots.ts';
import { Positioned } from '../http/position.ts';
import { notFound } from '../http/problem.ts';
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
    const reasons = result['reasons'] as readonly JsonObject[];
    if (!reasons.some((each) => each['rule'] === 'admission')) return new Positioned(position, result);
    await this.readModels.settled(position);
    const admission = await this.admissionOf(name);
    const all = reasons.map((each) => (each['rule'] === 'admission' ? { ...each, ...admission } : each));
    return new Positioned(position, { ...result, reasons: all });
  }

  /** Nothing when the gateway does not know the attempt: it may not have heard of it yet. */
  private async admissionOf(name: InstanceName): Promise<JsonObject> {
    const { dagId, runId, taskId, mapIndex } = name;
    const row = await this.readModels.taskInstance(dagId, runId, taskId, mapIndex);
    if (row === undefined) return {};
    const { tryNumber, leg } = row;
    const index = mapIndex === '' ? [] : mapIndex.split('.').map(Number);
    const answer = await this.admission.admissionOf(
      attemptId({ dagId, runId, taskId, mapIndex: index, tryNumber, leg }),
    );
    return answer === undefined ? {} : { passed: answer.admitted, reason: answer.reason };
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

export function labelOf({ dagId, runId, taskId, mapIndex }: InstanceName): string {
  return `task instance '${taskId}${mapIndex === '' ? '' : `[${mapIndex}]`}' of run '${runId}' of DAG '${dagId}'`;
}
