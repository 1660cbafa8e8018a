export * from './open.ts';
export { RELEASE } from './release.ts';
export * from './settings.ts';
export { monotonicMs } from './monotonic.ts';
