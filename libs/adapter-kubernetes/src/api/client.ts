import type { HttpMethod, KubeConfig, RequestContext, ResponseContext } from '@kubernetes/client-node';
import { apiError, errorOfStatus } from './errors.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ClusterAccess {
  /** Default: the pod's own service account where there is one, else `$KUBECONFIG` or `~/.kube/config`. */
  readonly kubeconfig?: { readonly file: string } | { readonly text: string };
  /** Of the kubeconfig. Default: its current one. */
  readonly context?: string;
  /** How long one call may take. Default 30 s. */
  readonly timeoutMs?: number;
}

type Library = typeof import('@kubernetes/client-node');

/**
 * Calls of the API with the credentials, TLS and proxies of a kubeconfig or of the cluster that this process runs in. Answers
 * are the JSON as it came. Every failure is an `ApiError`.
 */
export class Client {
  readonly #library: Library;
  readonly #config: KubeConfig;
  readonly #server: string;
  readonly #timeoutMs: number;

  private constructor(library: Library, config: KubeConfig, server: string, timeoutMs: number) {
    this.#library = library;
    this.#config = config;
    this.#server = server;
    this.#timeoutMs = timeoutMs;
  }

  /** Throws where the configuration names no cluster. */
  static async open({ kubeconfig, context, timeoutMs = 30_000 }: ClusterAccess): Promise<Client> {
    // Loaded here alone: it is large, and most processes never need it.
    const library = await import('@kubernetes/client-node');
    const config = new library.KubeConfig();
    if (kubeconfig === undefined) config.loadFromDefault();
    else if ('file' in kubeconfig) config.loadFromFile(kubeconfig.file);
    else config.loadFromString(kubeconfig.text);
    if (context !== undefined) config.setCurrentContext(context);
    const cluster = config.getCurrentCluster();
    if (cluster === null)
      throw new Error(
        `kubernetes: no cluster in context ${JSON.stringify(config.getCurrentContext())}; there are: ${
          config
            .getContexts()
            .map(({ name }) => name)
            .join(', ') || 'none'
        }`,
      );
    return new Client(library, config, cluster.server, timeoutMs);
  }

  async call<T>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    {
      query = {},
      body,
      signal,
    }: { readonly query?: Query; readonly body?: object; readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    const ended = AbortSignal.timeout(this.#timeoutMs);
    const response = await this.#send(
      method,
      path,
      query,
      body,
      signal === undefined ? ended : AbortSignal.any([signal, ended]),
    );
    try {
      return JSON.parse(await response.body.text()) as T;
    } catch (error) {
      throw apiError(error);
    }
  }

  /** The lines of an answer as they come. Ends with it; rejects when the connection breaks, or when nothing has come for `idleMs`. */
  async *lines(path: string, query: Query, signal: AbortSignal, idleMs: number): AsyncGenerator<string> {
    const idle = new AbortController();
    const ring = (): NodeJS.Timeout =>
      setTimeout(() => idle.abort(new Error(`nothing has come for ${idleMs} ms`)), idleMs);
    let timer = ring();
    try {
      const response = await this.#send('GET', path, query, undefined, AbortSignal.any([signal, idle.signal]));
      const decoder = new TextDecoder();
      let rest = '';
      for await (const chunk of response.body.stream() ?? []) {
        clearTimeout(timer);
        timer = ring();
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop()!;
        yield* lines;
      }
      if (rest !== '') yield rest;
    } catch (error) {
      throw apiError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #send(
    method: string,
    path: string,
    query: Query,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<ResponseContext> {
    const request = this.#request(method, path, query);
    request.setSignal(signal);
    if (body !== undefined) {
      request.setHeaderParam('Content-Type', method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
      request.setBody(JSON.stringify(body));
    }
    let response: ResponseContext;
    try {
      await this.#config.applySecurityAuthentication(request);
      response = await new this.#library.IsomorphicFetchHttpLibrary().send(request).toPromise();
    } catch (error) {
      throw apiError(error);
    }
    if (response.httpStatusCode < 300) return response;
    throw errorOfStatus(response.httpStatusCode, await response.body.text().catch(() => ''), response.headers);
  }

  #request(method: string, path: string, query: Query): RequestContext {
    const url = new URL(this.#server.replace(/\/$/, '') + path);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const request = new this.#library.RequestContext(url.toString(), method as HttpMethod);
    request.setHeaderParam('Accept', 'application/json, */*');
    request.setHeaderParam('User-Agent', 'rondo');
    return request;
  }
}
