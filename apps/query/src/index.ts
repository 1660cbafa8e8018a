export { authorize, type Action, type Authorize, type Resource } from './http/authorize.ts';
export type { DoorOptions } from './http/door.ts';
export type { AdminCommands, ComponentHealth, HealthReport, QueryOptions } from './options.ts';
export { openApiDocument } from './openapi/document.ts';
export { QueryModule } from './query.module.ts';
export type { GrpcApiServer } from './grpc/server.ts';
export { API_APPLICATION, prepareApi, serveApi, serveGrpcApi, urlOf, type ApiServer } from './server.ts';
