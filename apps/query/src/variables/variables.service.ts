import { Inject, Injectable } from '@nestjs/common';
import type { AdminService, VariableInput } from '@rondo/application';
import type { Actor } from '@rondo/contracts';
import type { Sealed } from '@rondo/domain';
import type { Page, Paged, ReadModels, SecretBox, VariableRow } from '@rondo/ports';
import { Positioned } from '../http/position.ts';
import { notFound, refused } from '../http/problem.ts';
import { ADMIN, READ_MODELS, SECRETS } from '../options.ts';

export interface VariableView {
  readonly key: string;
  readonly value: string;
  readonly masked: boolean;
  readonly description: string | null;
}

/** Keys whose values are not shown to whoever only looks. */
const SECRET_KEY = /pass(word|phrase|wd)|secret|token|api_?key|apikey|private_?key|credential|authorization/i;
const MASK = '***';

@Injectable()
export class VariablesService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(SECRETS) private readonly secrets: SecretBox,
    @Inject(ADMIN) private readonly admin: AdminService,
  ) {}

  async list(page: Page): Promise<Positioned<Paged<VariableView>>> {
    const position = await this.readModels.position();
    const { items, total } = await this.readModels.variables(page);
    return new Positioned(position, { items: items.map((row) => this.view(row, false)), total });
  }

  async get(key: string, reveal: boolean): Promise<Positioned<VariableView>> {
    const position = await this.readModels.position();
    const row = await this.readModels.variable(key);
    if (row === undefined) throw notFound(`there is no variable '${key}'`);
    return new Positioned(position, this.view(row, reveal));
  }

  async set(input: VariableInput, actor: Actor, create: boolean): Promise<Positioned<VariableView>> {
    const done = await this.admin.setVariable(input, { actor: `${actor.kind}:${actor.name}`, create });
    if (!done.ok) throw refused(done.error);
    await this.readModels.settled(done.value.position);
    return new Positioned(done.value.position, shown(input.key, input.value, input.description ?? null, false));
  }

  async delete(key: string, actor: Actor): Promise<Positioned<undefined>> {
    const done = await this.admin.deleteVariable(key, { actor: `${actor.kind}:${actor.name}` });
    if (!done.ok) throw refused(done.error);
    await this.readModels.settled(done.value.position);
    return new Positioned(done.value.position, undefined);
  }

  private view(row: VariableRow, reveal: boolean): VariableView {
    return shown(
      row.key,
      this.secrets.open(row.sealed as unknown as Sealed, `variable:${row.key}`),
      row.description,
      reveal,
    );
  }
}

function shown(key: string, value: string, description: string | null, reveal: boolean): VariableView {
  const masked = !reveal && SECRET_KEY.test(key);
  return { key, value: masked ? MASK : value, masked, description };
}
