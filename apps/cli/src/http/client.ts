import { randomUUID } from 'node:crypto';
import { RefusedError, UnreachableError, type Problem } from '../exit-codes.ts';
import type { Address } from './address.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly accept?: string;
}

/** Paths of the API: each argument is one segment. */
export const path = (...segments: readonly string[]): string => `/${segments.map(encodeURIComponent).join('/')}`;

/** Speaks to `/api/v1`. Throws RefusedError for an answer that is a refusal, UnreachableError where nothing answers. */
export class ApiClient {
  readonly #address: Address;
  readonly #token: string | undefined;

  /** A platform that is reached from elsewhere asks for a token. */
  constructor(address: Address, token?: string) {
    this.#address = address;
    this.#token = token;
  }

  get<T>(route: string, query: Query = {}): Promise<T> {
    return this.#json<T>('GET', route, { query });
  }

  post<T>(route: string, body: unknown = {}, query: Query = {}): Promise<T> {
    return this.#json<T>('POST', route, { body, query });
  }

  patch<T>(route: string, body: unknown): Promise<T> {
    return this.#json<T>('PATCH', route, { body });
  }

  put<T>(route: string, body: unknown): Promise<T> {
    return this.#json<T>('PUT', route, { body });
  }

  async delete(route: string): Promise<void> {
    await this.#send('DELETE', route, {});
  }

  /** A DELETE that answers with what was deleted. */
  remove<T>(route: string, query: Query = {}): Promise<T> {
    return this.#json<T>('DELETE', route, { query });
  }

  /** The body as text, piece by piece as it comes. */
  async *stream(route: string, options: RequestOptions): AsyncGenerator<string> {
    const response = await this.#send('GET', route, options);
    if (response.body === null) return;
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body) yield decoder.decode(chunk, { stream: true });
    } catch (error) {
      if (options.signal?.aborted === true) return;
      throw this.#unreachable(error);
    }
  }

  async #json<T>(method: string, route: string, options: RequestOptions): Promise<T> {
    const response = await this.#send(method, route, options);
    const text = await response.text();
    return (text === '' ? null : JSON.parse(text)) as T;
  }

  async #send(method: string, route: string, options: RequestOptions): Promise<Response> {
    const url = new URL(`${this.#address.url}/api/v1${route}`);
    for (const [name, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const headers: Record<string, string> = { accept: options.accept ?? 'application/json' };
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    if (this.#token !== undefined && this.#token !== '') headers['authorization'] = `Bearer ${this.#token}`;
    if (method === 'POST') headers['idempotency-key'] = randomUUID();
    const init: RequestInit = { method, headers };
    if (options.body !== undefined) init.body = JSON.stringify(options.body);
    if (options.signal !== undefined) init.signal = options.signal;
    const response = await fetch(url, init).catch((error: unknown) => {
      throw this.#unreachable(error);
    });
    if (!response.ok) throw new RefusedError(await problemOf(response));
    return response;
  }

  #unreachable(error: unknown): UnreachableError {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    return new UnreachableError(
      `no platform answers at ${this.#address.url} (address from ${this.#address.source}): ${reason}`,
    );
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'title' in body)
      return { status: response.status, ...(body as Problem) };
  } catch {
    // Not a problem document: what answers there may be no platform at all.
  }
  return {
    title: `the answer was ${response.status} ${response.statusText}`,
    status: response.status,
    detail: text.slice(0, 500),
  };
}
