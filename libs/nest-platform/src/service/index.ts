export * from '../config/setting.ts';
export { readConfig, type ConfigResult, type ConfigSource } from '../config/read-config.ts';
export { createLog, LEVELS, type Level, type Log, type LogFields, type LogOptions } from '../logging/log.ts';
export { Metrics, type Labels, type Sample } from '../metrics/metrics.ts';
export { nestLogger } from '../logging/nest-logger.ts';
export { startHealthServer, type DependencyState, type HealthOptions } from '../health/health-server.ts';
export { Parts, StoppingError, type Part } from './parts.ts';
export { main, runService, SERVICE_SETTINGS, type Service, type ServiceDefinition } from './run-service.ts';
export type { Surroundings } from './run-service.ts';
