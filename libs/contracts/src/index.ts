export * from './messages.ts';
export * from './read.ts';
export * from './release.ts';
export * from './topics.ts';
export * from './partition.ts';
export * from './event-hash.ts';
export * from './path-part.ts';
