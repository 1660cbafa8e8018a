export * from './clear.ts';
export * from './graph.ts';
export * from './setups.ts';
export * from './skips.ts';
export * from './validate.ts';
export * from './weights.ts';
export { matchesGlob } from './glob.ts';
