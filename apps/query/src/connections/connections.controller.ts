import { Controller, Inject } from '@nestjs/common';
import type { ConnectionInput } from '@rondo/application';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './connections.operations.ts';
import { ConnectionsService } from './connections.service.ts';

@Controller('api/v1')
export class ConnectionsController {
  constructor(@Inject(ConnectionsService) private readonly connections: ConnectionsService) {}

  @Route(operations.listConnections)
  list(@Input() { query }: InputOf<typeof operations.listConnections>) {
    return this.connections.list(pageOf(query));
  }

  @Route(operations.getConnection)
  get(@Input() { params }: InputOf<typeof operations.getConnection>) {
    return this.connections.get(params.connId);
  }

  @Route(operations.createConnection)
  create(@Input() { body, actor }: InputOf<typeof operations.createConnection>) {
    return this.connections.set(inputOf(body.connId, body), actor, true);
  }

  @Route(operations.putConnection)
  put(@Input() { params, body, actor }: InputOf<typeof operations.putConnection>) {
    return this.connections.set(inputOf(params.connId, body), actor, false);
  }

  @Route(operations.deleteConnection)
  delete(@Input() { params, actor }: InputOf<typeof operations.deleteConnection>) {
    return this.connections.delete(params.connId, actor);
  }

  @Route(operations.importConnections)
  importAll(@Input() { body, actor }: InputOf<typeof operations.importConnections>) {
    return this.connections.importAll(body.connections, actor);
  }
}

function inputOf(connId: string, body: InputOf<typeof operations.putConnection>['body']): ConnectionInput {
  const { connType, host, port, schema, login, description, password, extra } = body;
  const shown = {
    host: host ?? undefined,
    port: port ?? undefined,
    schema: schema ?? undefined,
    login: login ?? undefined,
    description: description ?? undefined,
  };
  return defined<ConnectionInput>({ connId, connType, ...shown, password, extra });
}
