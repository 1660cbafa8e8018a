import { Inject, Injectable } from '@nestjs/common';
import type { AdminService, ConnectionInput } from '@rondo/application';
import type { Actor } from '@rondo/contracts';
import type { Json } from '@rondo/kernel';
import type { ConnectionRow, Page, Paged, ReadModels } from '@rondo/ports';
import { parseConnection } from '@rondo/sdk';
import { Positioned } from '../http/position.ts';
import { invalid, notFound, refused } from '../http/problem.ts';
import { ADMIN, READ_MODELS } from '../options.ts';

export type ConnectionView = Omit<ConnectionRow, 'sealed'>;

@Injectable()
export class ConnectionsService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(ADMIN) private readonly admin: AdminService,
  ) {}

  async list(page: Page): Promise<Positioned<Paged<ConnectionView>>> {
    const position = await this.readModels.position();
    const { items, total } = await this.readModels.connections(page);
    return new Positioned(position, { items: items.map(view), total });
  }

  async get(connId: string): Promise<Positioned<ConnectionView>> {
    const position = await this.readModels.position();
    const row = await this.readModels.connection(connId);
    if (row === undefined) throw notFound(`there is no connection '${connId}'`);
    return new Positioned(position, view(row));
  }

  async set(input: ConnectionInput, actor: Actor, create: boolean): Promise<Positioned<ConnectionView>> {
    const done = await this.admin.setConnection(input, { actor: `${actor.kind}:${actor.name}`, create });
    if (!done.ok) throw refused(done.error);
    await this.readModels.settled(done.value.position);
    return new Positioned(done.value.position, (await this.get(input.connId)).body);
  }

  async importAll(given: Readonly<Record<string, Json>>, actor: Actor): Promise<Positioned<{ imported: number }>> {
    const parsed = Object.entries(given).map(([connId, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return { connId, result: parseConnection(connId, text) };
    });
    const faults = parsed.flatMap(({ connId, result }) =>
      result.ok ? [] : [{ in: 'body' as const, name: `connections.${connId}`, message: result.error }],
    );
    if (faults.length > 0) throw invalid(faults);
    let position = await this.readModels.position();
    for (const { result } of parsed) if (result.ok) ({ position } = await this.set(result.value, actor, false));
    return new Positioned(position, { imported: parsed.length });
  }

  async delete(connId: string, actor: Actor): Promise<Positioned<undefined>> {
    const done = await this.admin.deleteConnection(connId, { actor: `${actor.kind}:${actor.name}` });
    if (!done.ok) throw refused(done.error);
    await this.readModels.settled(done.value.position);
    return new Positioned(done.value.position, undefined);
  }
}

function view({ sealed: _sealed, ...shown }: ConnectionRow): ConnectionView {
  return shown;
}
