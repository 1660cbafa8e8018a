import { Controller, Inject } from '@nestjs/common';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './assets.operations.ts';
import { AssetsService } from './assets.service.ts';

@Controller('api/v1')
export class AssetsController {
  constructor(@Inject(AssetsService) private readonly assets: AssetsService) {}

  @Route(operations.listAssets)
  list(@Input() { query }: InputOf<typeof operations.listAssets>) {
    const { pattern, group } = query;
    return this.assets.list(defined({ pattern, group }), pageOf(query));
  }

  @Route(operations.getAsset)
  get(@Input() { params }: InputOf<typeof operations.getAsset>) {
    return this.assets.get(params.asset);
  }

  @Route(operations.listAssetAliases)
  aliases(@Input() { query }: InputOf<typeof operations.listAssetAliases>) {
    return this.assets.aliases(query.alias);
  }

  @Route(operations.listAssetEvents)
  events(@Input() { query }: InputOf<typeof operations.listAssetEvents>) {
    const { offset: _offset, limit: _limit, after: _after, ...filter } = query;
    return this.assets.events(defined(filter), pageOf(query));
  }

  @Route(operations.createAssetEvent)
  update(@Input() { body, actor, key }: InputOf<typeof operations.createAssetEvent>) {
    return this.assets.update(defined(body), actor, key);
  }

  @Route(operations.materializeAsset)
  materialize(@Input() { params, body, actor, key }: InputOf<typeof operations.materializeAsset>) {
    return this.assets.materialize(params.asset, defined(body), actor, key);
  }

  @Route(operations.listQueuedOfAsset)
  queuedOfAsset(@Input() { params }: InputOf<typeof operations.listQueuedOfAsset>) {
    return this.assets.queued(undefined, params.asset);
  }

  @Route(operations.deleteQueuedOfAsset)
  deleteOfAsset(@Input() { params, query, actor }: InputOf<typeof operations.deleteQueuedOfAsset>) {
    return this.assets.deleteQueued(undefined, params.asset, query.partitionKey, actor);
  }

  @Route(operations.listQueuedOfDag)
  queuedOfDag(@Input() { params }: InputOf<typeof operations.listQueuedOfDag>) {
    return this.assets.queued(params.dagId, undefined);
  }

  @Route(operations.deleteQueuedOfDag)
  deleteOfDag(@Input() { params, query, actor }: InputOf<typeof operations.deleteQueuedOfDag>) {
    return this.assets.deleteQueued(params.dagId, undefined, query.partitionKey, actor);
  }

  @Route(operations.listQueuedOfBoth)
  queuedOfBoth(@Input() { params }: InputOf<typeof operations.listQueuedOfBoth>) {
    return this.assets.queued(params.dagId, params.asset);
  }

  @Route(operations.deleteQueuedOfBoth)
  deleteOfBoth(@Input() { params, query, actor }: InputOf<typeof operations.deleteQueuedOfBoth>) {
    return this.assets.deleteQueued(params.dagId, params.asset, query.partitionKey, actor);
  }

  @Route(operations.listPendingPartitions)
  pendingPartitions(@Input() { params, query }: InputOf<typeof operations.listPendingPartitions>) {
    return this.assets.pendingPartitions(params.dagId, pageOf(query));
  }

  @Route(operations.listUpstreamAssetEvents)
  upstreamEvents(@Input() { params, query }: InputOf<typeof operations.listUpstreamAssetEvents>) {
    return this.assets.upstreamEvents(params.dagId, params.runId, pageOf(query));
  }
}
