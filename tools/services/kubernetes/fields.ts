import { Refusal, type ApiObject, type Resource } from './objects.ts';

const TOP: Readonly<Record<Resource, readonly string[]>> = {
  pods: ['apiVersion', 'kind', 'metadata', 'spec', 'status'],
  secrets: ['apiVersion', 'kind', 'metadata', 'data', 'stringData', 'type', 'immutable'],
};
const META =
  'name namespace uid resourceVersion creationTimestamp generateName generation labels annotations finalizers ownerReferences deletionTimestamp deletionGracePeriodSeconds managedFields selfLink'.split(
    ' ',
  );
const SPEC =
  'containers initContainers ephemeralContainers volumes restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy dnsConfig nodeSelector nodeName serviceAccountName serviceAccount automountServiceAccountToken hostNetwork hostPID hostIPC hostUsers shareProcessNamespace securityContext imagePullSecrets hostname subdomain affinity schedulerName tolerations hostAliases priorityClassName priority preemptionPolicy readinessGates runtimeClassName enableServiceLinks overhead topologySpreadConstraints setHostnameAsFQDN os schedulingGates resourceClaims resources'.split(
    ' ',
  );
const CONTAINER =
  'name image command args workingDir ports envFrom env resources resizePolicy restartPolicy volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty'.split(
    ' ',
  );

/** Fields that the API does not know are dropped, or refused where the client asks for it. */
export function prune(resource: Resource, object: ApiObject, isStrict: boolean): void {
  const unknown: string[] = [];
  const keep = (value: object | undefined, known: readonly string[], path: string): void => {
    for (const field of Object.keys(value ?? {}))
      if (!known.includes(field)) {
        unknown.push(`unknown field "${path}${field}"`);
        delete (value as Record<string, unknown>)[field];
      }
  };
  keep(object, TOP[resource], '');
  keep(object.metadata, META, 'metadata.');
  keep(object.spec, SPEC, 'spec.');
  for (const list of ['containers', 'initContainers'] as const)
    for (const [i, container] of (object.spec?.[list] ?? []).entries())
      keep(container, CONTAINER, `spec.${list}[${i}].`);
  if (isStrict && unknown.length > 0)
    throw new Refusal(400, 'BadRequest', `strict decoding error: ${unknown.join(', ')}`);
}

/** What may not change once a pod is there. */
export function checkImmutable(before: ApiObject, after: ApiObject): void {
  const rest = ({ spec }: ApiObject): string => {
    const { activeDeadlineSeconds: _, tolerations: __, nodeName: ___, ...fixed } = spec ?? { containers: [] };
    return JSON.stringify({ ...fixed, containers: fixed.containers.map(({ image: _, ...container }) => container) });
  };
  if (rest(before) === rest(after)) return;
  throw new Refusal(
    422,
    'Invalid',
    `Pod "${before.metadata.name}" is invalid: spec: Forbidden: pod updates may not change fields other than image, activeDeadlineSeconds, tolerations`,
  );
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
  const result: Record<string, unknown> = isObject ? { ...(target as object) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
