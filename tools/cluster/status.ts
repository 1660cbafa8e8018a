import type { Cluster } from './cluster.ts';

/** Parts of which people want to know more than that they are well. */
const TOLD = ['gateway', 'worker', 'scheduler', 'system', 'readModels', 'alerts'];

/** One line for each service: how it is, and what its main part says. */
export async function statusLines(cluster: Cluster): Promise<readonly string[]> {
  const widest = Math.max(...cluster.services.map(({ name }) => name.length));
  return Promise.all(
    cluster.services.map(async (service) => {
      const { status, dependencies } = await service.readiness();
      const failing = Object.entries(dependencies).filter(([, { state }]) => state !== 'ok');
      const told = TOLD.flatMap((part) => dependencies[part]?.detail ?? []);
      const more = failing.length > 0 ? failing.map(([name, { detail }]) => `${name}: ${detail ?? ''}`) : told;
      return `  ${service.name.padEnd(widest)}  ${String(service.pid ?? '-').padStart(7)}  ${status.padEnd(8)}  ${more.join('; ')}`;
    }),
  );
}
