export * from './retry.ts';
export * from './sensor.ts';
export { sha1Hex } from './sha1.ts';
