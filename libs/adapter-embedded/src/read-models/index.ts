export { openReadModels, type EmbeddedReadModels, type ReadModelsOptions } from './client.ts';
export { ReadModelService, type ReadModelServiceOptions } from './service.ts';
export type { ReadModelStatus } from '@rondo/read-models';
