export * from './admin/admin-service.ts';
export * from './attempt-services.ts';
export * from './commands/command-bus.ts';
export * from './dag-source/dag-source.ts';
export { isDagFile, listFolder } from './dag-source/folder.ts';
export * from './gateway/gateway.ts';
export * from './scheduler/envelope.ts';
export * from './scheduler/scheduler.ts';
export * from './waits/ingest.ts';
