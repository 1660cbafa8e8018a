export { isOutOfMemory } from './matches.ts';
export { factorOf, overridesOf, times, withArgs, type OverrideBase } from './overrides.ts';
export * from './retry.ts';
export * from './rules.ts';
export * from './sensor.ts';
export { sha1Hex } from './sha1.ts';
