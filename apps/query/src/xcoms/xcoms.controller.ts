import { Controller, Inject } from '@nestjs/common';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './xcoms.operations.ts';
import { XComsService } from './xcoms.service.ts';

@Controller('api/v1')
export class XComsController {
  constructor(@Inject(XComsService) private readonly xcoms: XComsService) {}

  @Route(operations.listXComs)
  listOf(@Input() { params, query }: InputOf<typeof operations.listXComs>) {
    return this.xcoms.listOf({ ...params, mapIndex: query.mapIndex }, query.asOf);
  }

  @Route(operations.getXCom)
  xcom(@Input() { params, query }: InputOf<typeof operations.getXCom>) {
    return this.xcoms.xcom({ ...params, mapIndex: query.mapIndex }, params.key, query.asOf);
  }

  @Route(operations.listRunXComs)
  runXComs(@Input() { params, query }: InputOf<typeof operations.listRunXComs>) {
    return this.xcoms.runXComs(params.dagId, params.runId, query.asOf, pageOf(query), query.taskId);
  }

  @Route(operations.putXCom)
  put(@Input() { params, query, body, actor }: InputOf<typeof operations.putXCom>) {
    return this.xcoms.set({ ...params, mapIndex: query.mapIndex }, params.key, body.value, actor);
  }

  @Route(operations.deleteXCom)
  delete(@Input() { params, query, actor }: InputOf<typeof operations.deleteXCom>) {
    return this.xcoms.delete({ ...params, mapIndex: query.mapIndex }, params.key, actor);
  }
}
