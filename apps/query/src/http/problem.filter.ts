import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { BusUnavailableError, StoreUnavailableError } from '@rondo/ports';
import type { Request, Response } from 'express';
import { HttpProblem } from './problem.ts';

export const PROBLEM_MEDIA = 'application/problem+json';

/** Every error leaves as a problem document. What nobody expected is logged, and answered with its reference alone. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('api');

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    if (response.headersSent) {
      response.end();
      return;
    }
    const problem = this.problemOf(error, request);
    const { status, title, message: detail, errors } = problem;
    const body = {
      type: 'about:blank',
      title,
      status,
      detail,
      instance: request.originalUrl.slice(0, 500),
      ...(errors.length === 0 ? {} : { errors }),
    };
    response.status(status).set(problem.headers).type(PROBLEM_MEDIA).send(JSON.stringify(body));
  }

  private problemOf(error: unknown, request: Request): HttpProblem {
    if (error instanceof HttpProblem) return error;
    if (error instanceof StoreUnavailableError || error instanceof BusUnavailableError)
      return new HttpProblem(503, 'Unavailable', error.message, { headers: { 'Retry-After': '1' } });
    const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
    if (status === 404)
      return new HttpProblem(
        404,
        'Not found',
        `there is nothing at ${request.method} ${request.path}; see /api/v1/openapi.json`,
      );
    if (status < 500) return new HttpProblem(status, STATUS_CODES[status] ?? 'Refused', (error as Error).message);
    const reference = randomUUID();
    this.logger.error(
      `${request.method} ${request.path} failed (${reference}): ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return new HttpProblem(500, 'Internal error', `something failed that should not; the log has it as ${reference}`);
  }
}

/** Express and its body parser throw errors with a status of their own. */
function statusOf(error: unknown): number {
  const { status, expose } = error as { readonly status?: unknown; readonly expose?: unknown };
  return typeof status === 'number' && expose === true ? status : 500;
}
