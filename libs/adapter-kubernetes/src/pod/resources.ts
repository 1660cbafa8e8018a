import { err, ok, type Json, type JsonObject, type Result } from '@rondo/kernel';

/** A unit as people write it, beside those of Kubernetes: of memory `m` is mebibytes, since a thousandth of a byte is none. */
const MEMORY_UNITS: Readonly<Record<string, string>> = {
  ...{ b: '', k: 'Ki', kb: 'Ki', kib: 'Ki', m: 'Mi', mb: 'Mi', mib: 'Mi', g: 'Gi', gb: 'Gi', gib: 'Gi' },
  ...{ t: 'Ti', tb: 'Ti', tib: 'Ti' },
};
const QUANTITY = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/;
const UNITS = new Set(['', 'm', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']);

export interface ContainerResources {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
}

/**
 * `cpu` is asked for; `memory`, `gpu`, `ephemeralStorage` are asked for and are limits, since more of them ends the container.
 * `cpuLimit` is a limit. Names with a `/` are resources of the cluster. All other keys are the task's own business.
 */
export function containerResources(resources: JsonObject, gpuResource: string): Result<ContainerResources> {
  const requests: Record<string, string> = {};
  const limits: Record<string, string> = {};
  for (const [name, value] of Object.entries(resources)) {
    const target = TARGETS[name] ?? (name === 'gpu' ? gpuResource : name.includes('/') ? name : undefined);
    if (target === undefined) continue;
    const quantity = quantityOf(value, target === 'memory' || target === 'ephemeral-storage');
    if (quantity === undefined)
      return err(
        `resources.${name} is ${JSON.stringify(value)}; allowed: a number, or one with a unit such as '500m' (cpu) or '4Gi' (memory)`,
      );
    if (name !== 'cpuLimit') requests[target] = quantity;
    if (target !== 'cpu' || name === 'cpuLimit') limits[target] = quantity;
  }
  return ok({ requests, limits });
}

const TARGETS: Readonly<Record<string, string>> = {
  cpu: 'cpu',
  cpuLimit: 'cpu',
  memory: 'memory',
  ephemeralStorage: 'ephemeral-storage',
};

function quantityOf(value: Json, isBytes: boolean): string | undefined {
  if (typeof value === 'number') return value >= 0 ? String(value) : undefined;
  const match = typeof value === 'string' ? QUANTITY.exec(value.trim()) : null;
  if (match === null) return undefined;
  const [, amount, unit] = match as unknown as [string, string, string];
  const plain = isBytes && (unit === 'm' || !UNITS.has(unit)) ? MEMORY_UNITS[unit.toLowerCase()] : unit;
  return plain === undefined || !UNITS.has(plain) ? undefined : amount + plain;
}
