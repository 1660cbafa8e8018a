import { Operator, resolveConnection, templatable, type TaskContext } from '@rondo/sdk';
import type { Json } from '@rondo/kernel';
import * as z from 'zod';
import { download } from './download.ts';
import { answerOf, send, type Answer } from './request.ts';

export interface HttpArgs {
  /** Absolute, or relative to the connection. A template. */
  readonly url?: string;
  /** Id of a connection, or its URI. Its host and port come before `url`, its login is the user, its extra are headers. */
  readonly connection?: string;
  /** Default `GET`. */
  readonly method?: string;
  /** Added to the URL. Templates. */
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** Templates. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, anything else as JSON. Templates. */
  readonly body?: Json;
  /** Downloads the answer to this file, absolute; folders are made. The task returns `{ path, bytes, status }`. A template. */
  readonly saveTo?: string;
  /** False or an error: the task fails. Default: a status of 400 and above fails. Not asked for a download. */
  readonly responseCheck?: (answer: Answer) => boolean | Promise<boolean>;
  /** What the task returns. Default: the answer as JSON if it is JSON, else as text. */
  readonly responseFilter?: (answer: Answer) => unknown;
}

const texts = z.record(z.string(), templatable(z.string())).describe('an object of texts');
export const callable = <T>() =>
  z.custom<T>((value) => typeof value === 'function').describe('a function (answer) => …');

export const requestShape = {
  url: templatable(z.string().min(1).describe('a URL')).optional(),
  connection: templatable(z.string().min(1).describe('the id or the URI of a connection')).optional(),
  method: z
    .enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    .describe('GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS')
    .optional(),
  query: templatable(z.record(z.string(), z.unknown()).describe('an object of texts and numbers')).optional(),
  headers: templatable(texts).optional(),
  body: z.unknown().optional(),
};
export const urlOrConnection = {
  check: ({ url, connection }: { readonly url?: unknown; readonly connection?: unknown }) =>
    url !== undefined || connection !== undefined,
  message: { path: ['url'], error: 'url, connection or both' },
};

/** One HTTP request. It is not repeated: retries of the task do that. */
export class HttpOperator extends Operator<HttpArgs, unknown> {
  static override readonly templateFields = ['url', 'connection', 'query', 'headers', 'body', 'saveTo'];
  static override readonly schema = z
    .strictObject({
      ...requestShape,
      saveTo: templatable(z.string().min(1).describe('an absolute path')).optional(),
      responseCheck: callable<NonNullable<HttpArgs['responseCheck']>>().optional(),
      responseFilter: callable<NonNullable<HttpArgs['responseFilter']>>().optional(),
    })
    .refine(urlOrConnection.check, urlOrConnection.message);

  async execute(ctx: TaskContext, args: HttpArgs): Promise<unknown> {
    const connection = args.connection === undefined ? undefined : await resolveConnection(ctx, args.connection);
    const { url, response } = await send(ctx, args, connection);
    ctx.log.info(`${args.method ?? 'GET'} ${url.origin}${url.pathname}: ${response.status} ${response.statusText}`);
    if (args.saveTo !== undefined) return download(ctx, response, url, args.saveTo);
    const answer = await answerOf(response);
    const { text } = answer;
    if (args.responseCheck !== undefined) {
      if (!(await args.responseCheck(answer)))
        throw new Error(
          `${url.origin}${url.pathname} answered ${response.status}, which responseCheck refused: ${text.slice(0, 500)}`,
        );
    } else if (!response.ok)
      throw new Error(
        `${url.origin}${url.pathname} answered ${response.status} ${response.statusText}: ${text.slice(0, 500)}`,
      );
    if (args.responseFilter !== undefined) return args.responseFilter(answer);
    return /\bjson\b/.test(response.headers.get('content-type') ?? '') && text !== '' ? answer.json() : text;
  }
}
