import { Inject, Injectable } from '@nestjs/common';
import type { AdminService, VariableInput } from '@rondo/application';
import type { Actor } from '@rondo/contracts';
import type { Sealed } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type { Page, Paged, ReadModels, SecretBox, VariableRow } from '@rondo/ports';
import { Positioned } from '../http/position.ts';
import { notFound, refused } from '../http/problem.ts';
import { ADMIN, READ_MODELS, SECRETS } from '../options.ts';
import { maskedVariable } from './masking.ts';

const PAGE = 1_000;

export interface VariableView {
  readonly key: string;
  readonly value: string;
  readonly masked: boolean;
  readonly description: string | null;
}

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

  /** Sets all of them, one after the other. What is no text is kept as JSON. */
  async importAll(values: Readonly<Record<string, Json>>, actor: Actor): Promise<Positioned<{ imported: number }>> {
    let position = await this.readModels.position();
    for (const [key, value] of Object.entries(values)) {
      const input = { key, value: typeof value === 'string' ? value : JSON.stringify(value) };
      ({ position } = await this.set(input, actor, false));
    }
    return new Positioned(position, { imported: Object.keys(values).length });
  }

  /** All of them, in clear. */
  async exportAll(): Promise<Positioned<Readonly<Record<string, string>>>> {
    const position = await this.readModels.position();
    const values: [string, string][] = [];
    for (let offset = 0; ; offset += PAGE) {
      const { items, total } = await this.readModels.variables({ offset, limit: PAGE });
      for (const row of items) values.push([row.key, this.view(row, true).value]);
      if (offset + PAGE >= total) return new Positioned(position, Object.fromEntries(values));
    }
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
  return { key, ...(reveal ? { value, masked: false } : maskedVariable(key, value)), description };
}
