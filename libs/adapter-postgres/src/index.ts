export { openPostgresReadModels, type PostgresReadModels, type PostgresReadModelsOptions } from './read-models.ts';
export type { ConnectOptions } from './connect.ts';
export { openPostgresRunKeys, type PostgresRunKeysOptions } from './run-keys.ts';
