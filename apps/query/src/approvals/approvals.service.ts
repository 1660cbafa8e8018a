import { Inject, Injectable } from '@nestjs/common';
import type { Actor } from '@rondo/contracts';
import type { Json } from '@rondo/kernel';
import type { ApprovalFilter, ApprovalRow, Page, Paged, ReadModels } from '@rondo/ports';
import { resolveParams } from '@rondo/sdk';
import { Commands } from '../commands.ts';
import { defined } from '../http/defined.ts';
import { Positioned } from '../http/position.ts';
import { invalid, notFound } from '../http/problem.ts';
import { READ_MODELS } from '../options.ts';

interface InstanceName {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: string;
}

interface ApprovalInput {
  readonly options: readonly string[];
  readonly by?: string | undefined;
  readonly params?: Readonly<Record<string, Json>> | undefined;
}

@Injectable()
export class ApprovalsService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(Commands) private readonly commands: Commands,
  ) {}

  async list(filter: ApprovalFilter, page: Page): Promise<Positioned<Paged<ApprovalRow>>> {
    const position = await this.readModels.position();
    return new Positioned(position, await this.readModels.approvals(filter, page));
  }

  async get(name: InstanceName): Promise<Positioned<ApprovalRow>> {
    const position = await this.readModels.position();
    const found = await this.find(name);
    if (found === undefined) throw notFound(`task instance ${textOf(name)} has not asked anything`);
    return new Positioned(position, found);
  }

  async respond(name: InstanceName, input: ApprovalInput, actor: Actor): Promise<Positioned<ApprovalRow>> {
    const { dagId, ...instance } = name;
    const asked = await this.find(name);
    if (asked?.state === 'open') checkForm(asked, input.params ?? {});
    const command = { type: 'respondApproval' as const, ...instance, ...defined(input) };
    const { position } = await this.commands.sendAndSettle(dagId, actor, command);
    return new Positioned(position, (await this.get(name)).body);
  }

  private async find(name: InstanceName): Promise<ApprovalRow | undefined> {
    return (await this.readModels.approvals(name, { offset: 0, limit: 1 })).items[0];
  }
}

/** Values that a field's schema refuses are refused where they are given; the scheduler knows nothing of schemas. */
function checkForm({ params }: ApprovalRow, given: Readonly<Record<string, Json>>): void {
  const named = Object.fromEntries(Object.entries(params).filter(([name]) => Object.hasOwn(given, name)));
  const resolved = resolveParams(named, given);
  if (resolved.ok) return;
  throw invalid(
    resolved.error.map(({ param, at, message }) => ({
      in: 'body',
      name: `params.${param}${at.replaceAll('/', '.')}`,
      message,
    })),
  );
}

const textOf = ({ dagId, runId, taskId, mapIndex }: InstanceName): string =>
  `'${taskId}'${mapIndex === '' ? '' : ` [${mapIndex}]`} of run '${runId}' of DAG '${dagId}'`;
