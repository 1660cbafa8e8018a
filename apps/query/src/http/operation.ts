import {
  applyDecorators,
  createParamDecorator,
  HttpCode,
  RequestMapping,
  RequestMethod,
  SetMetadata,
  type ExecutionContext,
} from '@nestjs/common';
import type { Actor } from '@rondo/contracts';
import type { Request } from 'express';
import type { z } from 'zod';
import type { Action, Resource } from './authorize.ts';
import { validate } from './validate.ts';

/** One operation of the API: the route, what it takes and answers. The document and the validation are made of it. */
export interface Operation {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With `{parameters}`, under `/api/v1`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly action: Action;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Default 200. */
  readonly status?: number;
  /** What it answers; nothing for 204. */
  readonly answer?: z.ZodType;
  /** Default `application/json`. */
  readonly media?: readonly string[];
  /** Statuses of refusals beside 400, 401, 403 and 503. */
  readonly refusals?: readonly (404 | 409 | 410 | 413 | 422)[];
}

type OutputOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** A request to the operation, validated. */
export interface InputOf<Op extends Operation> {
  readonly params: OutputOf<Op['params']>;
  readonly query: OutputOf<Op['query']>;
  readonly body: OutputOf<Op['body']>;
  readonly actor: Actor;
  /** The Idempotency-Key of a POST. */
  readonly key: string | undefined;
}

/** A request that has passed the door. */
export interface AdmittedRequest extends Request {
  rondoActor?: Actor;
}

export const OPERATION = 'rondo:operation';

const METHODS = {
  get: RequestMethod.GET,
  post: RequestMethod.POST,
  put: RequestMethod.PUT,
  patch: RequestMethod.PATCH,
  delete: RequestMethod.DELETE,
} as const;

/** The method answers this operation. */
export function Route(operation: Operation): MethodDecorator {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
  return applyDecorators(
    SetMetadata(OPERATION, operation),
    RequestMapping({ path, method: METHODS[operation.method] }),
    HttpCode(operation.status ?? 200),
  );
}

export function operationOf(context: ExecutionContext): Operation | undefined {
  return Reflect.getMetadata(OPERATION, context.getHandler()) as Operation | undefined;
}

/** The validated request: an `InputOf` the operation that the method answers. */
export const Input = createParamDecorator((_data: unknown, context: ExecutionContext): InputOf<Operation> => {
  const operation = operationOf(context);
  if (operation === undefined) throw new Error('Input stands only in a method with a Route');
  const request = context.switchToHttp().getRequest<AdmittedRequest>();
  const check = (schema: z.ZodType | undefined, where: 'path' | 'query' | 'body', given: unknown): never =>
    (schema === undefined ? undefined : validate(schema, where, given)) as never;
  return {
    params: check(operation.params, 'path', request.params),
    query: check(operation.query, 'query', request.query),
    body: check(operation.body, 'body', request.body ?? {}),
    actor: actorOf(request),
    key: request.get('idempotency-key'),
  };
});

export function actorOf(request: AdmittedRequest): Actor {
  if (request.rondoActor === undefined) throw new Error('the request has not passed the door');
  return request.rondoActor;
}

/** What a request is about, for `authorize`. */
export function resourceOf(operation: Operation, params: Readonly<Record<string, unknown>>): Resource {
  const { dagId, runId, taskId, key, connId } = params as Readonly<Record<string, string | undefined>>;
  const named = { dagId, runId, taskId, key, connId };
  const known = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  return { kind: operation.tag, ...known };
}
