import { err, ok, type Json, type JsonObject, type Result } from '@rondo/kernel';
import type { Assignment, OwnedPartition } from '@rondo/ports';
import type { Meta, Pod } from '../api/objects.ts';
import { FINALIZER, metaOf } from '../attempt/names.ts';
import type { Settings } from '../options.ts';
import { isObject, mergeTemplate } from './merge.ts';
import { containerResources } from './resources.ts';

/** The container in which an attempt runs. Others of a template run beside it. */
export const CONTAINER = 'attempt';
/** Key of the token in the attempt's Secret. */
export const TOKEN_KEY = 'token';
/** How long a pod may be about beyond its start and its task's own time limit, which its worker keeps. */
const SPARE_MS = 120_000;

/**
 * The pod of an attempt: what the executor needs of it, over the task's own part, over its resources, over the template of the
 * configuration. Names what of the task cannot be had.
 */
export function podOf(settings: Settings, assignment: Assignment, owned: OwnedPartition): Result<Pod> {
  const { executorConfig = {}, resources = {} } = assignment;
  const own = executorConfig.pod ?? {};
  if (!isObject(own))
    return err(`executorConfig.pod is ${JSON.stringify(own)}; allowed: an object, a part of a pod's template`);
  const granted = containerResources(resources, settings.gpuResource);
  if (!granted.ok) return granted;
  const meta = metaOf(settings.installation, assignment.attempt, owned);
  const layers: JsonObject[] = [
    settings.template,
    { spec: { containers: [{ name: CONTAINER, resources: granted.value as unknown as JsonObject }] } },
    own,
    required(settings, assignment, meta),
  ];
  const pod = layers.reduce(mergeTemplate, base(settings));
  const problem = problemOf(pod);
  return problem === undefined ? ok(pod as unknown as Pod) : err(problem);
}

function base({ image, command, args, serviceAccount }: Settings): JsonObject {
  return {
    spec: {
      serviceAccountName: serviceAccount,
      // An attempt has no business with the API.
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 30,
      containers: [
        {
          name: CONTAINER,
          ...(image === undefined ? {} : { image }),
          ...(command === undefined ? {} : { command }),
          args,
          env: [{ name: 'RONDO_WORKER_DATA', value: '/tmp/rondo-worker' }],
          terminationMessagePolicy: 'FallbackToLogsOnError',
        },
      ],
    },
  };
}

/** What no template may change. */
function required(settings: Settings, { id, executionTimeoutMs }: Assignment, meta: Meta): JsonObject {
  const { gateways, namespace, startLimitMs, owner, finalizer } = settings;
  const deadlineMs = executionTimeoutMs === undefined ? undefined : executionTimeoutMs + startLimitMs + SPARE_MS;
  const metadata = {
    ...meta,
    namespace,
    ...(finalizer ? { finalizers: [FINALIZER] } : {}),
    ...(owner === undefined ? {} : { ownerReferences: [{ ...owner }] }),
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata as unknown as JsonObject,
    spec: {
      // One attempt, one process: what follows is decided elsewhere.
      restartPolicy: 'Never',
      ...(deadlineMs === undefined ? {} : { activeDeadlineSeconds: Math.ceil(deadlineMs / 1_000) }),
      containers: [
        {
          name: CONTAINER,
          env: [
            { name: 'RONDO_GATEWAYS_ADDRESSES', value: gateways.join(',') },
            { name: 'RONDO_WORKER_NAME', value: settings.podWorker ?? meta.name },
            { name: 'RONDO_WORKER_SLOTS', value: '1' },
            { name: 'RONDO_WORKER_ATTEMPT', value: id },
            {
              name: 'RONDO_WORKER_ATTEMPT_TOKEN',
              valueFrom: { secretKeyRef: { name: meta.name, key: TOKEN_KEY } },
            },
          ],
        },
      ],
    },
  };
}

function problemOf(pod: JsonObject): string | undefined {
  const spec = pod.spec as { readonly containers: readonly Json[] };
  const container = spec.containers.find((each) => isObject(each) && each.name === CONTAINER) as JsonObject;
  if (typeof container.image !== 'string' || container.image === '')
    return `the pod's container '${CONTAINER}' has no image: set one in the executor's configuration, or in executorConfig.pod.spec.containers`;
  return undefined;
}
