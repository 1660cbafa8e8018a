import type { Connection, TaskContext } from '@rondo/sdk';
import type { HttpArgs } from './http-operator.ts';

export type RequestArgs = Pick<HttpArgs, 'url' | 'method' | 'query' | 'headers' | 'body'>;

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  json(): unknown;
}

/** One request, once. */
export async function send(
  ctx: TaskContext,
  args: RequestArgs,
  connection: Connection | undefined,
): Promise<{ readonly url: URL; readonly response: Response }> {
  const url = urlOf(args, connection);
  const { body } = args;
  const isText = typeof body === 'string';
  const headers = new Headers({
    ...(body === undefined || isText ? {} : { 'content-type': 'application/json' }),
    ...headersOf(connection),
    ...args.headers,
    // An idle socket would outlive the attempt, and the warm process with it.
    ...(ctx.keepsConnections ? {} : { connection: 'close' }),
  });
  try {
    const response = await fetch(url, {
      method: args.method ?? 'GET',
      headers,
      signal: ctx.signal,
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
    return { url, response };
  } catch (error) {
    ctx.signal.throwIfAborted();
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new Error(
      `${url.origin} could not be reached: ${message === '' || message === undefined ? (code ?? String(cause)) : message}`,
      { cause },
    );
  }
}

/** `schema` of a connection is its protocol, unless the host has one; default http. */
function urlOf({ url = '', query }: RequestArgs, connection: Connection | undefined): URL {
  const base = connection === undefined ? undefined : baseOf(connection);
  let target: URL;
  try {
    target =
      base === undefined || /^[a-z][\w+.-]*:\/\//i.test(url) ? new URL(url) : new URL(url.replace(/^\/+/, ''), base);
  } catch {
    throw new Error(`'${url}' is no URL; allowed: an absolute one, or a path with a connection`);
  }
  for (const [key, value] of Object.entries(query ?? {})) target.searchParams.append(key, String(value));
  return target;
}

function baseOf({ host = '', port, schema, connType }: Connection): URL {
  const protocol = schema === 'http' || schema === 'https' ? schema : connType === 'https' ? 'https' : 'http';
  const url = new URL(host.includes('://') ? host : `${protocol}://${host}`);
  if (port !== undefined) url.port = String(port);
  const path = schema === undefined || schema === 'http' || schema === 'https' ? '' : schema;
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path === '' ? '' : `${path.replace(/^\/|\/$/g, '')}/`}`;
  return url;
}

function headersOf(connection: Connection | undefined): Record<string, string> {
  if (connection === undefined) return {};
  const { login, password, extra = {} } = connection;
  const texts = Object.fromEntries(
    Object.entries(extra).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
  if (login === undefined) return texts;
  return { authorization: `Basic ${Buffer.from(`${login}:${password ?? ''}`).toString('base64')}`, ...texts };
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text,
    json: () => JSON.parse(text) as unknown,
  };
}
