import { Controller, Inject } from '@nestjs/common';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './pools.operations.ts';
import { PoolsService } from './pools.service.ts';

@Controller('api/v1')
export class PoolsController {
  constructor(@Inject(PoolsService) private readonly pools: PoolsService) {}

  @Route(operations.listPools)
  list(@Input() { query }: InputOf<typeof operations.listPools>) {
    return this.pools.list(pageOf(query));
  }

  @Route(operations.putPools)
  putAll(@Input() { body, actor }: InputOf<typeof operations.putPools>) {
    const pools = Object.entries(body.pools).map(([name, content]) => defined({ ...content, name }));
    return this.pools.setAll(pools, actor);
  }

  @Route(operations.getPool)
  get(@Input() { params }: InputOf<typeof operations.getPool>) {
    return this.pools.get(params.key);
  }

  @Route(operations.putPool)
  put(@Input() { params, body, actor }: InputOf<typeof operations.putPool>) {
    return this.pools.set(defined({ ...body, name: params.key }), actor);
  }

  @Route(operations.deletePool)
  delete(@Input() { params, actor }: InputOf<typeof operations.deletePool>) {
    return this.pools.delete(params.key, actor);
  }
}
