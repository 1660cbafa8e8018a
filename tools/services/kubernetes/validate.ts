import { Refusal, type ApiObject, type Container, type PodSpec, type Resource } from './objects.ts';
import { amountOf } from './quantity.ts';

interface Cause {
  readonly field: string;
  readonly message: string;
  readonly reason: string;
}

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$/;
const VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const ENV_NAME = /^[\x20-\x3c\x3e-\x7e]+$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Refuses with 422 what the API refuses, naming every field. */
export function validate(resource: Resource, object: ApiObject): void {
  const causes: Cause[] = [];
  const wrong = (field: string, value: unknown, message: string): void => {
    causes.push({ reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${message}` });
  };
  checkMeta(object, wrong);
  if (resource === 'pods') checkPod(object.spec, wrong);
  else checkSecret(object, wrong);
  if (causes.length === 0) return;
  const { name } = object.metadata;
  const text = causes.map(({ field, message }) => `${field}: ${message}`).join(', ');
  throw new Refusal(422, 'Invalid', `${object.kind} "${name}" is invalid: ${text}`, {
    name,
    kind: object.kind,
    causes,
  });
}

type Wrong = (field: string, value: unknown, message: string) => void;

function checkMeta({ metadata }: ApiObject, wrong: Wrong): void {
  const { name, labels = {}, annotations = {}, finalizers = [], ownerReferences = [] } = metadata;
  if (typeof name !== 'string' || name.length > 253 || !SUBDOMAIN.test(name))
    wrong(
      'metadata.name',
      name,
      'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "-" or "."',
    );
  for (const [key, value] of Object.entries(labels)) {
    if (!isKey(key))
      wrong('metadata.labels', key, 'name part must consist of alphanumeric characters, "-", "_" or "."');
    if (typeof value !== 'string') wrong('metadata.labels', value, 'must be a string');
    else if (value.length > 63) wrong('metadata.labels', value, 'must be no more than 63 characters');
    else if (!VALUE.test(value))
      wrong('metadata.labels', value, 'a valid label must be an empty string or consist of alphanumeric characters');
  }
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    if (!isKey(key.toLowerCase()))
      wrong('metadata.annotations', key, 'name part must consist of alphanumeric characters');
    if (typeof value !== 'string') wrong('metadata.annotations', value, 'must be a string');
    else bytes += key.length + Buffer.byteLength(value);
  }
  if (bytes > 262_144) wrong('metadata.annotations', '', 'must have at most 262144 bytes');
  for (const finalizer of finalizers)
    if (!finalizer.includes('/') || !isKey(finalizer))
      wrong('metadata.finalizers', finalizer, 'name is neither a standard finalizer name nor is it fully qualified');
  for (const { apiVersion, kind, name: owner, uid } of ownerReferences)
    if (!apiVersion || !kind || !owner || !uid)
      wrong('metadata.ownerReferences', owner, 'apiVersion, kind, name and uid must not be empty');
}

function isKey(key: string): boolean {
  const [prefix, name] = key.includes('/') ? key.split('/', 2) : [undefined, key];
  if (name === undefined || name.length > 63 || !QUALIFIED.test(name)) return false;
  return prefix === undefined || (prefix.length <= 253 && SUBDOMAIN.test(prefix));
}

function checkPod(spec: PodSpec | undefined, wrong: Wrong): void {
  if (spec === undefined || !Array.isArray(spec.containers) || spec.containers.length === 0)
    return wrong('spec.containers', '', 'Required value');
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  const names = new Set<string>();
  for (const [list, containers] of [
    ['containers', spec.containers],
    ['initContainers', spec.initContainers ?? []],
  ] as const)
    containers.forEach((container, i) => {
      checkContainer(`spec.${list}[${i}]`, container, volumes, wrong);
      if (names.has(container.name)) wrong(`spec.${list}[${i}].name`, container.name, 'Duplicate value');
      names.add(container.name);
    });
  for (const [i, { name }] of (spec.volumes ?? []).entries())
    if (!LABEL.test(name ?? '') || name.length > 63)
      wrong(`spec.volumes[${i}].name`, name, 'a lowercase RFC 1123 label');
  if (!['Always', 'OnFailure', 'Never', undefined].includes(spec.restartPolicy))
    wrong('spec.restartPolicy', spec.restartPolicy, 'supported values: "Always", "Never", "OnFailure"');
  for (const field of ['activeDeadlineSeconds', 'terminationGracePeriodSeconds'] as const) {
    const value = spec[field];
    const least = field === 'activeDeadlineSeconds' ? 1 : 0;
    if (value !== undefined && (!Number.isInteger(value) || value < least || value > 2_147_483_647))
      wrong(`spec.${field}`, value, `must be between ${least} and 2147483647, inclusive`);
  }
}

function checkContainer(field: string, container: Container, volumes: ReadonlySet<string>, wrong: Wrong): void {
  const { name, image, env = [], resources = {}, volumeMounts = [] } = container;
  if (typeof name !== 'string' || name.length > 63 || !LABEL.test(name))
    wrong(`${field}.name`, name, 'a lowercase RFC 1123 label');
  if (typeof image !== 'string' || image.trim() === '') wrong(`${field}.image`, image, 'Required value');
  env.forEach((variable, i) => {
    if (!ENV_NAME.test(variable.name ?? ''))
      wrong(`${field}.env[${i}].name`, variable.name, 'a valid environment variable name');
    if (variable.value !== undefined && typeof variable.value !== 'string')
      wrong(`${field}.env[${i}].value`, variable.value, 'must be a string');
    if (variable.value !== undefined && variable.value !== '' && variable.valueFrom !== undefined)
      wrong(`${field}.env[${i}].valueFrom`, '', 'may not be specified when `value` is not empty');
  });
  for (const { name: volume, mountPath } of volumeMounts) {
    if (!volumes.has(volume)) wrong(`${field}.volumeMounts[0].name`, volume, 'Not found');
    if (!mountPath) wrong(`${field}.volumeMounts[0].mountPath`, mountPath, 'Required value');
  }
  for (const list of ['requests', 'limits'] as const)
    for (const [resource, quantity] of Object.entries(resources[list] ?? {})) {
      const amount = amountOf(String(quantity));
      if (amount === undefined || amount < 0)
        wrong(`${field}.resources.${list}[${resource}]`, quantity, 'quantities must match the regular expression');
      const limit = amountOf(String(resources.limits?.[resource] ?? ''));
      if (list === 'requests' && amount !== undefined && limit !== undefined && amount > limit)
        wrong(
          `${field}.resources.requests`,
          quantity,
          `must be less than or equal to ${resource} limit of ${resources.limits?.[resource]}`,
        );
      // Resources of devices cannot be overcommitted.
      if (list === 'requests' && resource.includes('/') && limit !== amount)
        wrong(`${field}.resources.requests`, quantity, `must be equal to ${resource} limit`);
    }
}

function checkSecret({ data = {} }: ApiObject, wrong: Wrong): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    if (!/^[-._a-zA-Z0-9]+$/.test(key)) wrong(`data[${key}]`, key, 'a valid config key');
    if (!BASE64.test(value)) wrong(`data[${key}]`, '***', 'illegal base64 data');
    bytes += Math.floor((value.length * 3) / 4);
  }
  if (bytes > 1_048_576) wrong('data', '', 'Too long: may not be more than 1048576 bytes');
}
