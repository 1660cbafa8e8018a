import { Controller, Inject } from '@nestjs/common';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './dags.operations.ts';
import { DagsService } from './dags.service.ts';

@Controller('api/v1')
export class DagsController {
  constructor(@Inject(DagsService) private readonly dags: DagsService) {}

  @Route(operations.listDags)
  list(@Input() { query }: InputOf<typeof operations.listDags>) {
    const { pattern, tag, paused, includeRetired } = query;
    const filter = {
      includeRetired,
      ...(pattern === undefined ? {} : { dagIdPattern: pattern }),
      ...(tag === undefined ? {} : { tag }),
      ...(paused === undefined ? {} : { paused }),
    };
    return this.dags.list(filter, pageOf(query));
  }

  @Route(operations.getDag)
  get(@Input() { params, query }: InputOf<typeof operations.getDag>) {
    return this.dags.detail(params.dagId, query.version);
  }

  @Route(operations.patchDags)
  patchAll(@Input() { body, actor }: InputOf<typeof operations.patchDags>) {
    return this.dags.setPausedWhere(body.pattern, body.paused, actor);
  }

  @Route(operations.patchDag)
  patch(@Input() { params, body, actor }: InputOf<typeof operations.patchDag>) {
    return this.dags.setPaused(params.dagId, body.paused, actor);
  }

  @Route(operations.pauseDag)
  pause(@Input() { params, actor }: InputOf<typeof operations.pauseDag>) {
    return this.dags.setPaused(params.dagId, true, actor);
  }

  @Route(operations.unpauseDag)
  unpause(@Input() { params, actor }: InputOf<typeof operations.unpauseDag>) {
    return this.dags.setPaused(params.dagId, false, actor);
  }

  @Route(operations.getDagSource)
  source(@Input() { params, query }: InputOf<typeof operations.getDagSource>) {
    return this.dags.source(params.dagId, query.version);
  }

  @Route(operations.listDagVersions)
  versions(@Input() { params }: InputOf<typeof operations.listDagVersions>) {
    return this.dags.versions(params.dagId);
  }

  @Route(operations.listDagTasks)
  tasks(@Input() { params, query }: InputOf<typeof operations.listDagTasks>) {
    return this.dags.tasks(params.dagId, query.version);
  }

  @Route(operations.listNextRuns)
  next(@Input() { params, query, actor }: InputOf<typeof operations.listNextRuns>) {
    return this.dags.next(params.dagId, query.count, actor);
  }
}
