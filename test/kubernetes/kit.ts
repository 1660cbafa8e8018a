import { Client } from '@rondo/adapter-kubernetes';
import type { Api, ApiOptions } from '../../tools/services/kubernetes/api.ts';
import type { ApiObject, PodStatus } from '../../tools/services/kubernetes/objects.ts';
import { startKubernetes, type KubernetesServer } from '../../tools/services/kubernetes/server.ts';

export const QUICK = { firstMs: 5, lastMs: 50 };
export const PODS = '/api/v1/namespaces/default/pods';

export interface Cluster {
  readonly server: KubernetesServer;
  readonly api: Api;
  readonly client: Client;
}

export async function openCluster(options: ApiOptions = {}): Promise<Cluster> {
  const server = await startKubernetes(options);
  const client = await Client.open({ kubeconfig: { text: server.kubeconfig } });
  return { server, api: server.api, client };
}

/** Resolves when it holds. Gives up only when a test has long failed, so that nothing stays behind. */
export async function until(holds: () => boolean, patienceMs = 15_000): Promise<void> {
  const since = performance.now();
  while (!holds()) {
    if (performance.now() - since > patienceMs) throw new Error(`it never held: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const podOf = (
  name: string,
  change: { labels?: Record<string, string>; spec?: object; meta?: object } = {},
) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: change.labels ?? { app: 'a' }, ...change.meta },
  spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'image:1' }], ...change.spec },
});

export function setStatus(api: Api, name: string, status: Partial<PodStatus>, nodeName = 'node-1'): ApiObject {
  return api.store.update('pods', 'default', name, (pod) => {
    pod.spec!.nodeName = nodeName;
    pod.status = { ...pod.status!, ...status };
  });
}
