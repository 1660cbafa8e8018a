export * from './messages.ts';
export * from './topics.ts';
export * from './partition.ts';
