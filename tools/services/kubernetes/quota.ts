import { Refusal, type ApiObject } from './objects.ts';
import { amountOf } from './quantity.ts';

/** Of one namespace: `pods`, `requests.cpu`, `limits.memory` and the like. */
export interface Quota {
  readonly name: string;
  readonly hard: Readonly<Record<string, string>>;
}

/** Refuses a pod that takes its namespace over the quota. What has ended takes nothing. */
export function checkQuota(quota: Quota, pod: ApiObject, pods: readonly ApiObject[]): void {
  const open = pods.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
  for (const [resource, hard] of Object.entries(quota.hard)) {
    const wanted = usageOf(pod, resource);
    const used = open.reduce((sum, other) => sum + usageOf(other, resource), 0);
    if (wanted === 0 || used + wanted <= amountOf(hard)!) continue;
    const { name } = pod.metadata;
    throw new Refusal(
      403,
      'Forbidden',
      `pods "${name}" is forbidden: exceeded quota: ${quota.name}, requested: ${resource}=${wanted}, used: ${resource}=${used}, limited: ${resource}=${hard}`,
      { name, kind: 'pods' },
    );
  }
}

function usageOf(pod: ApiObject, resource: string): number {
  if (resource === 'pods') return 1;
  const [list, name] = resource.split('.', 2) as ['requests' | 'limits', string];
  return totalOf(pod, list, name);
}

/** Over all containers; a request that is not made is its limit. */
export function totalOf({ spec }: ApiObject, list: 'requests' | 'limits', name: string): number {
  const amounts = (spec?.containers ?? []).map(({ resources }) => {
    const given = resources?.[list]?.[name] ?? (list === 'requests' ? resources?.limits?.[name] : undefined);
    return given === undefined ? 0 : amountOf(given)!;
  });
  return amounts.reduce((sum, amount) => sum + amount, 0);
}
