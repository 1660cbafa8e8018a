import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Api, type ApiOptions } from './api.ts';
import { Refusal } from './objects.ts';

export interface KubernetesServer {
  readonly url: string;
  readonly api: Api;
  /** For a client: the text of a kubeconfig. */
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

/**
 * A server with the rules of Kubernetes' API for the calls that Rondo makes: pods, their logs, secrets. For tests where no
 * cluster can be had. Pods do what the test says, or what a `Kubelet` does.
 */
export async function startKubernetes(options: ApiOptions = {}): Promise<KubernetesServer> {
  const api = new Api(options);
  const server = createServer((request, response) => void answer(api, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    api,
    kubeconfig: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'test', user: { token: api.token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
    }),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      api.breakWatches();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(api: Api, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await api.handle(request, response);
  } catch (error) {
    const refusal =
      error instanceof Refusal
        ? error
        : new Refusal(500, 'InternalError', error instanceof Error ? error.message : String(error));
    if (response.headersSent) return void response.destroy();
    response.writeHead(refusal.code, { 'Content-Type': 'application/json', ...refusal.headers });
    response.end(JSON.stringify(refusal.status));
  }
}
