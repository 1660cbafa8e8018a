export * from './dag-harness.ts';
export * from './dag.ts';
export * from './outcome.ts';
export * from './run-harness.ts';
export * from './run-view.ts';
export * from './mapped-run.ts';
export { preview } from './preview.ts';
