export * from './events.ts';
export * from './worker-stand.ts';
