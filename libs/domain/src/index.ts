export * from './admin/index.ts';
export * from './dag/index.ts';
export * from './dag-run/index.ts';
export * from './graph/index.ts';
export * from './retry/index.ts';
export * from './schedule/index.ts';
export * from './task-instance/index.ts';
export * from './trigger-rule/index.ts';
