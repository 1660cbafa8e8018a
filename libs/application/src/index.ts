export * from './commands/command-bus.ts';
export * from './dag-source/dag-source.ts';
export * from './gateway/gateway.ts';
export * from './scheduler/envelope.ts';
export * from './scheduler/scheduler.ts';
