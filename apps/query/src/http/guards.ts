import {
  Inject,
  Injectable,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { ReadModels } from '@rondo/ports';
import type { Response } from 'express';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { AUTHORIZE, READ_MODELS } from '../options.ts';
import type { Authorize } from './authorize.ts';
import { RememberedAnswers } from './idempotency.ts';
import { actorOf, operationOf, resourceOf, type AdmittedRequest } from './operation.ts';
import { Positioned, POSITION_HEADER } from './position.ts';
import { HttpProblem } from './problem.ts';

/** How long a read waits for the position that it asks for. */
const SETTLE_MS = 10_000;

@Injectable()
export class AuthorizeGuard implements CanActivate {
  constructor(@Inject(AUTHORIZE) private readonly authorize: Authorize) {}

  canActivate(context: ExecutionContext): boolean {
    const operation = operationOf(context);
    if (operation === undefined) return true;
    const request = context.switchToHttp().getRequest<AdmittedRequest>();
    const allowed = this.authorize(actorOf(request), operation.action, resourceOf(operation, request.params));
    if (allowed.ok) return true;
    throw new HttpProblem(403, 'Forbidden', allowed.error);
  }
}

/** Lets a read wait for its `after`, a POST with a key run once, and puts an answer's position into its header. */
@Injectable()
export class AnswerInterceptor implements NestInterceptor {
  private readonly remembered = new RememberedAnswers();

  constructor(@Inject(READ_MODELS) private readonly readModels: ReadModels) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<AdmittedRequest>();
    const response = context.switchToHttp().getResponse<Response>();
    return from(this.answer(request, response, () => lastValueFrom(next.handle(), { defaultValue: undefined })));
  }

  private async answer(request: AdmittedRequest, response: Response, run: () => Promise<unknown>): Promise<unknown> {
    const after = request.method === 'GET' ? Number(request.query.after) : Number.NaN;
    if (Number.isSafeInteger(after)) await this.readModels.settled(after, SETTLE_MS);
    const key = request.method === 'POST' ? request.get('idempotency-key') : undefined;
    const answer =
      key === undefined
        ? await run()
        : await this.remembered.once(key, `${actorOf(request).name} ${request.path}`, request.body, run);
    if (!(answer instanceof Positioned)) return answer;
    response.setHeader(POSITION_HEADER, String(answer.position));
    return answer.body;
  }
}
