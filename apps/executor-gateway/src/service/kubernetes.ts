import { readFileSync } from 'node:fs';
import { kubernetesHost, type KubernetesHost } from '@rondo/adapter-kubernetes';
import type { JsonObject } from '@rondo/kernel';
import { choice, flag, list, text, whole, type ConfigOf } from '@rondo/nest-platform/service';
import type { LogStore } from '@rondo/ports';
import { parse } from 'yaml';

/** Settings of attempts in pods. */
export const KUBERNETES_SETTINGS = {
  enabled: flag('Run attempts of tasks that name the executor `kubernetes` in pods.', { default: false }),
  installation: text('Marks the pods of this installation: the same for all its gateways, and no other.', {
    default: 'rondo',
    form: [/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/, 'letters, digits, - _ . (at most 63)'],
  }),
  gateways: list('Where pods reach the gateways; all of them.', { form: [/^[^\s]+:\d{1,5}$/, 'HOST:PORT'] }),
  namespace: text('Where pods are made.', { default: 'default' }),
  image: text("What pods run: the platform's own image, unless the template names one.", {}),
  serviceAccount: text('Of the pods.', { default: 'default' }),
  template: text('A file with a pod, or a part of one, in YAML: what every pod is based on.', {}),
  kubeconfig: text("A kubeconfig file. Without: the gateway's own service account, or $KUBECONFIG.", {}),
  context: text('Of the kubeconfig. Without: its current one.', {}),
  maxPods: whole('Pods at once, for each gateway.', 1, 100_000, { default: 100 }),
  namedOnly: flag('Tasks that name no executor run elsewhere.', { default: true }),
  podWorker: text('Name of the workers in pods: with mutual TLS, that of their certificate.', {}),
  startLimit: whole('Seconds that a pod may wait for a node, an image or its start.', 1, 86_400, { default: 600 }),
  deletePods: choice('Which pods go when the result is safe.', ['always', 'on-success', 'never'], {
    default: 'always',
  }),
  keep: whole('Seconds that other pods are kept.', 1, 31_536_000, { default: 86_400 }),
};

export type KubernetesConfig = ConfigOf<{ readonly kubernetes: typeof KUBERNETES_SETTINGS }>['kubernetes'];

/** What is wrong with settings that are right one by one. */
export function kubernetesProblems(config: KubernetesConfig): readonly string[] {
  if (!config.enabled) return [];
  try {
    openKubernetes(config, {});
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

export function openKubernetes(
  config: KubernetesConfig,
  about: { readonly release?: string; readonly logs?: LogStore; readonly onNotice?: (text: string) => void },
): KubernetesHost {
  const {
    enabled: _,
    gateways = [],
    image,
    template,
    kubeconfig,
    context,
    podWorker,
    startLimit,
    keep,
    ...rest
  } = config;
  return kubernetesHost({
    ...rest,
    ...about,
    gateways,
    startLimitMs: startLimit * 1_000,
    keepMs: keep * 1_000,
    cluster: {
      ...(kubeconfig === undefined ? {} : { kubeconfig: { file: kubeconfig } }),
      ...(context === undefined ? {} : { context }),
    },
    ...(image === undefined ? {} : { image }),
    ...(podWorker === undefined ? {} : { podWorker }),
    ...(template === undefined ? {} : { template: templateOf(template) }),
  });
}

function templateOf(file: string): JsonObject {
  try {
    return parse(readFileSync(file, 'utf8')) as JsonObject;
  } catch (error) {
    throw new Error(`kubernetes.template: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
