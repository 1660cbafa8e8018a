import { Inject, Injectable } from '@nestjs/common';
import type { Actor } from '@rondo/contracts';
import type { CreateBackfill } from '@rondo/domain';
import type { JsonObject } from '@rondo/kernel';
import type { BackfillDateRow, BackfillRow, Page, Paged, ReadModels } from '@rondo/ports';
import { Commands } from '../commands.ts';
import { Positioned } from '../http/position.ts';
import { notFound } from '../http/problem.ts';
import { READ_MODELS } from '../options.ts';
import { RunsService } from '../runs/runs.service.ts';

@Injectable()
export class BackfillsService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(RunsService) private readonly runs: RunsService,
  ) {}

  async list(
    filter: { readonly dagId?: string; readonly open?: boolean },
    page: Page,
  ): Promise<Positioned<Paged<BackfillRow>>> {
    const position = await this.readModels.position();
    if (filter.dagId !== undefined && (await this.readModels.dag(filter.dagId)) === undefined)
      throw notFound(`there is no DAG '${filter.dagId}'`);
    return new Positioned(position, await this.readModels.backfills(filter, page));
  }

  async get(dagId: string, backfillId: number): Promise<Positioned<BackfillRow>> {
    const position = await this.readModels.position();
    return new Positioned(position, await this.need(dagId, backfillId));
  }

  async dates(dagId: string, backfillId: number, page: Page): Promise<Positioned<Paged<BackfillDateRow>>> {
    const position = await this.readModels.position();
    await this.need(dagId, backfillId);
    return new Positioned(position, await this.readModels.backfillDates(dagId, backfillId, page));
  }

  async create(
    dagId: string,
    input: CreateBackfill,
    actor: Actor,
    key: string | undefined,
  ): Promise<Positioned<BackfillRow>> {
    await this.runs.checkParams(dagId, input.conf ?? null);
    const command = { type: 'createBackfill', ...input, ...(key === undefined ? {} : { key }) } as const;
    const { position, result } = await this.commands.sendAndSettle(dagId, actor, command);
    return new Positioned(position, await this.need(dagId, Number(result['backfillId'])));
  }

  async plan(dagId: string, input: CreateBackfill, page: Page, actor: Actor): Promise<Positioned<JsonObject>> {
    await this.runs.checkParams(dagId, input.conf ?? null);
    const { position, result } = await this.commands.send(dagId, actor, {
      type: 'createBackfill',
      ...input,
      dryRun: page,
    });
    return new Positioned(position, result);
  }

  async change(
    dagId: string,
    backfillId: number,
    type: 'pauseBackfill' | 'resumeBackfill' | 'cancelBackfill',
    actor: Actor,
  ): Promise<Positioned<BackfillRow>> {
    const { position } = await this.commands.sendAndSettle(dagId, actor, { type, backfillId });
    return new Positioned(position, await this.need(dagId, backfillId));
  }

  private async need(dagId: string, backfillId: number): Promise<BackfillRow> {
    const row = await this.readModels.backfill(dagId, backfillId);
    if (row === undefined) throw notFound(`DAG '${dagId}' has no backfill ${backfillId}`);
    return row;
  }
}
