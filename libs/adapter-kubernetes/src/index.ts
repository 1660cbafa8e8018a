export { Client, type ClusterAccess } from './api/client.ts';
export { ApiError } from './api/errors.ts';
export { PodWatch, type PodWatchOptions } from './api/pod-watch.ts';
export type { Pod } from './api/objects.ts';
