import { formatDuration, type JsonObject } from '@rondo/kernel';
import { ALL_QUEUES, type LogStore } from '@rondo/ports';
import type { ClusterAccess } from './api/client.ts';
import type { OwnerReference } from './api/objects.ts';
import type { Patience } from './api/patience.ts';
import { isObject } from './pod/merge.ts';

export interface KubernetesOptions {
  /** Marks the pods of one installation: what bears the mark is its alone. A label's value. */
  readonly installation: string;
  /** `host:port` of every gateway, as pods reach them. */
  readonly gateways: readonly string[];
  readonly cluster?: ClusterAccess;
  /** Default `default`. */
  readonly namespace?: string;
  /** What the container runs, unless the template says it: the platform's own image. */
  readonly image?: string;
  /** Default: the image's own. */
  readonly command?: readonly string[];
  /** Default: those with which the platform's image is a worker. */
  readonly args?: readonly string[];
  /** Of the pods. Default `default`. */
  readonly serviceAccount?: string;
  /** A pod, or a part of one: the container of an attempt is called `attempt`. */
  readonly template?: JsonObject;
  /** The name of a GPU among the cluster's resources. Default `nvidia.com/gpu`. */
  readonly gpuResource?: string;
  /** Name of the worker as which the cluster appears to gateways. Default `kubernetes`. */
  readonly worker?: string;
  readonly release?: string;
  /** Name that the workers in pods give themselves, as mutual TLS asks one that is in their certificate. Default: the pod's. */
  readonly podWorker?: string;
  /** Pods that this gateway may have at once. Default 100. */
  readonly maxPods?: number;
  /** Default: every queue. */
  readonly queues?: readonly string[];
  /** True: only tasks that name the executor `kubernetes` run in pods. Default true. */
  readonly namedOnly?: boolean;
  /** Calls of the API at once that make or delete. Default 8. */
  readonly parallel?: number;
  /** How long a pod may wait for a node, an image or its start before its attempt fails. Milliseconds, default 10 min. */
  readonly startLimitMs?: number;
  /** How long nothing may be heard of a pod that runs before its attempt is lost. Milliseconds, default 10 min. */
  readonly silenceMs?: number;
  /** How long a cancelled attempt has to end before its pod is deleted. Milliseconds, default 15 s. */
  readonly cancelMs?: number;
  /** How long a pod of an attempt that nobody wants is left alone. Milliseconds, default 5 min. */
  readonly orphanMs?: number;
  /** Which pods are deleted when the result of their attempt is durable. Default `always`. */
  readonly deletePods?: 'always' | 'on-success' | 'never';
  /** How long pods that are kept stay. Milliseconds, default a day. */
  readonly keepMs?: number;
  /** Default true: a pod that something else deletes stays until its end has been read. */
  readonly finalizer?: boolean;
  /** Pods go with it, as with the Deployment of the gateways. Default: none. */
  readonly owner?: OwnerReference;
  /** Where the last words of a pod that ended without a result go. Default: nowhere. */
  readonly logs?: LogStore;
  readonly onNotice?: (text: string) => void;
  readonly patience?: Patience;
  /** How often time limits are looked at. Milliseconds, default 1 s. */
  readonly tickMs?: number;
}

export type Settings = Required<
  Omit<KubernetesOptions, 'image' | 'command' | 'owner' | 'logs' | 'cluster' | 'patience' | 'podWorker'>
> &
  Pick<KubernetesOptions, 'image' | 'command' | 'owner' | 'logs' | 'patience' | 'podWorker'>;

const LABEL_VALUE = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Fills in what is left out. Throws with every problem at once. */
export function settingsOf(options: KubernetesOptions): Settings {
  const settings: Settings = {
    namespace: 'default',
    serviceAccount: 'default',
    args: ['worker'],
    template: {},
    gpuResource: 'nvidia.com/gpu',
    worker: 'kubernetes',
    release: '',
    maxPods: 100,
    queues: [ALL_QUEUES],
    namedOnly: true,
    parallel: 8,
    startLimitMs: 600_000,
    silenceMs: 600_000,
    cancelMs: 15_000,
    orphanMs: 300_000,
    deletePods: 'always',
    keepMs: 86_400_000,
    finalizer: true,
    onNotice: () => undefined,
    tickMs: 1_000,
    ...options,
  };
  const problems = problemsOf(settings);
  if (problems.length > 0) throw new Error(`kubernetes: ${problems.join('; ')}`);
  return settings;
}

function problemsOf(settings: Settings): string[] {
  const problems: string[] = [];
  const wrong = (name: keyof Settings, allowed: string): void => {
    problems.push(`${name} is ${JSON.stringify(settings[name])}; allowed: ${allowed}`);
  };
  if (!LABEL_VALUE.test(settings.installation)) wrong('installation', 'letters, digits, - _ . (at most 63)');
  if (!DNS_LABEL.test(settings.namespace)) wrong('namespace', 'lower-case letters, digits and - (at most 63)');
  if (settings.gateways.length === 0) wrong('gateways', 'at least one host:port');
  for (const name of ['maxPods', 'parallel'] as const)
    if (!Number.isInteger(settings[name]) || settings[name] < 1) wrong(name, 'a whole number of at least 1');
  for (const name of ['startLimitMs', 'silenceMs', 'cancelMs', 'orphanMs', 'keepMs', 'tickMs'] as const)
    if (!(settings[name] > 0)) wrong(name, `milliseconds, such as 60000 (${formatDuration(60_000)})`);
  const { metadata = {}, spec = {}, ...rest } = settings.template;
  const others = Object.keys(rest).filter((field) => field !== 'apiVersion' && field !== 'kind');
  if (!isObject(metadata) || !isObject(spec) || others.length > 0)
    wrong('template', 'a pod: objects `metadata` and `spec`');
  else if (spec.restartPolicy !== undefined && spec.restartPolicy !== 'Never')
    problems.push(`template.spec.restartPolicy is ${JSON.stringify(spec.restartPolicy)}; allowed: Never`);
  return problems;
}
