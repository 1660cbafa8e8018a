export * from './asset.ts';
export * from './condition.ts';
export * from './describe.ts';
export * from './events.ts';
export * from './watch.ts';
