import { Controller, Inject } from '@nestjs/common';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './approvals.operations.ts';
import { ApprovalsService } from './approvals.service.ts';

@Controller('api/v1')
export class ApprovalsController {
  constructor(@Inject(ApprovalsService) private readonly approvals: ApprovalsService) {}

  @Route(operations.listApprovals)
  list(@Input() { query }: InputOf<typeof operations.listApprovals>) {
    const { dagId, runId, taskId, state, assignee } = query;
    return this.approvals.list(defined({ dagId, runId, taskId, state, assignee }), pageOf(query));
  }

  @Route(operations.getApproval)
  get(@Input() { params, query }: InputOf<typeof operations.getApproval>) {
    return this.approvals.get({ ...params, mapIndex: query.mapIndex });
  }

  @Route(operations.respondApproval)
  respond(@Input() { params, query, body, actor }: InputOf<typeof operations.respondApproval>) {
    return this.approvals.respond({ ...params, mapIndex: query.mapIndex }, body, actor);
  }
}
