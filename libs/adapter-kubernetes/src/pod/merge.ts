import type { Json, JsonObject } from '@rondo/kernel';

/** Lists of which each element is known by a field, as the API's own strategic merge has it. Any other list is replaced. */
const KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  volumes: 'name',
  env: 'name',
  imagePullSecrets: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  ports: 'containerPort',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
  resourceClaims: 'name',
};

/**
 * A part of a template put over another: objects are merged, `null` takes a field away, elements of known lists are merged by
 * their name (`$patch: delete` takes one away), all else takes its place.
 */
export function mergeTemplate(under: JsonObject, over: JsonObject): JsonObject {
  const result: Record<string, Json> = { ...under };
  for (const [field, value] of Object.entries(over)) {
    const below = result[field];
    if (value === null) delete result[field];
    else if (isObject(value)) result[field] = mergeTemplate(isObject(below) ? below : {}, value);
    else if (Array.isArray(value)) {
      const key = KEYS[field];
      result[field] = key === undefined || !Array.isArray(below) ? value : mergeList(below, value, key);
    } else result[field] = value;
  }
  return result;
}

function mergeList(under: readonly Json[], over: readonly Json[], key: string): Json {
  const result = [...under];
  for (const item of over) {
    if (!isObject(item)) continue;
    const at = result.findIndex((known) => isObject(known) && known[key] === item[key]);
    const { $patch, ...rest } = item;
    if ($patch === 'delete') {
      if (at !== -1) result.splice(at, 1);
    } else if (at === -1) result.push(rest);
    else if ($patch === 'replace') result[at] = rest;
    else result[at] = mergeVariable(result[at] as JsonObject, rest);
  }
  return result;
}

/** A variable has a value or a source, never both. */
function mergeVariable(under: JsonObject, over: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...mergeTemplate(under, over) };
  if ('value' in over) delete merged.valueFrom;
  else if ('valueFrom' in over) delete merged.value;
  return merged;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
