export { openReadModels, type EmbeddedReadModels, type ReadModelsOptions } from './client.ts';
export { ReadModelService, type ReadModelServiceOptions, type ReadModelStatus } from './service.ts';
