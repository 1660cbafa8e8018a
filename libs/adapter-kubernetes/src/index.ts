export { Client, type ClusterAccess } from './api/client.ts';
export { ApiError } from './api/errors.ts';
export type { Pod } from './api/objects.ts';
export { PodWatch, type PodWatchOptions } from './api/pod-watch.ts';
export { combineHosts, kubernetesHost, type KubernetesHost } from './host.ts';
export type { KubernetesOptions } from './options.ts';
