import { Inject, Injectable } from '@nestjs/common';
import type { RunBlobs } from '@rondo/application';
import type { Actor } from '@rondo/contracts';
import type { XComValue } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type { Page, Paged, XComRow } from '@rondo/ports';
import { INLINE_BYTES, problemOfEncoded } from '@rondo/sdk';
import { Commands } from '../commands.ts';
import { Positioned } from '../http/position.ts';
import { invalid, notFound, refuseErased } from '../http/problem.ts';
import { RUN_BLOBS } from '../options.ts';
import { labelOf, TasksService, type InstanceName } from '../task-instances/tasks.service.ts';

const VALUES = 'its XComs are';

@Injectable()
export class XComsService {
  constructor(
    @Inject(TasksService) private readonly tasks: TasksService,
    @Inject(RUN_BLOBS) private readonly blobs: RunBlobs,
    @Inject(Commands) private readonly commands: Commands,
  ) {}

  async listOf(name: InstanceName, asOf: string | undefined): Promise<Positioned<Paged<XComRow>>> {
    const snapshot = await this.tasks.snapshotOf(name.dagId, name.runId, asOf);
    await this.tasks.need(snapshot, name);
    refuseErased((await snapshot.run())!, VALUES);
    const items = await snapshot.xcoms(name.taskId, name.mapIndex);
    return new Positioned(snapshot.position, { items, total: items.length });
  }

  async runXComs(
    dagId: string,
    runId: string,
    asOf: string | undefined,
    page: Page,
    taskId: string | undefined,
  ): Promise<Positioned<Paged<XComRow>>> {
    const snapshot = await this.tasks.snapshotOf(dagId, runId, asOf);
    refuseErased((await snapshot.run())!, VALUES);
    return new Positioned(snapshot.position, await snapshot.xcomPage(taskId, page));
  }

  async xcom(name: InstanceName, key: string, asOf: string | undefined): Promise<Positioned<XComRow>> {
    const { position, body } = await this.listOf(name, asOf);
    const row = body.items.find((each) => each.key === key);
    if (row === undefined) throw notFound(`${labelOf(name)} has no XCom '${key}'`);
    if (row.blob === null) return new Positioned(position, row);
    const bytes = await this.blobs.get(row.blob);
    if (bytes === undefined) throw notFound(`the value of XCom '${key}' of ${labelOf(name)} is no longer stored`);
    return new Positioned(position, { ...row, value: JSON.parse(Buffer.from(bytes).toString('utf8')) as Json });
  }

  async set(name: InstanceName, key: string, value: Json, actor: Actor): Promise<Positioned<XComRow>> {
    const problem = problemOfEncoded(value);
    if (problem !== undefined) throw invalid([{ in: 'body', name: 'value', message: problem }]);
    const { dagId, ...instance } = name;
    const command = { type: 'changeXCom', ...instance, key, value: await this.stored(name, value) } as const;
    const { position } = await this.commands.sendAndSettle(dagId, actor, command);
    return new Positioned(position, { ...name, key, value, blob: null });
  }

  async delete(name: InstanceName, key: string, actor: Actor): Promise<Positioned<undefined>> {
    await this.xcom(name, key, undefined);
    const { dagId, ...instance } = name;
    const { position } = await this.commands.sendAndSettle(dagId, actor, { type: 'changeXCom', ...instance, key });
    return new Positioned(position, undefined);
  }

  /** I7: as a task's own values are stored. */
  private async stored({ dagId, runId }: InstanceName, value: Json): Promise<XComValue> {
    const bytes = Buffer.from(JSON.stringify(value));
    if (bytes.length <= INLINE_BYTES) return { value };
    refuseErased((await (await this.tasks.snapshotOf(dagId, runId, undefined)).run())!, VALUES);
    return { blob: await this.blobs.put(dagId, runId, bytes), bytes: bytes.length };
  }
}
