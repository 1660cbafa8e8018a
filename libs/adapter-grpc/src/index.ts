export { grpcGatewayLine, type GrpcGatewayLineOptions } from './gateway-line.ts';
export { loadProtos, protoFolder, serviceOf } from './protos.ts';
export { startGrpcServer, type GrpcListenOptions, type GrpcServer, type GrpcServerOptions } from './server.ts';
export { grpcSessionHost, type GrpcSessionHost, type GrpcSessionHostOptions } from './session-host.ts';
export type { ClientTls, ServerTls } from './tls.ts';
export { serverTlsOf, serverTlsProblems, type ServerTlsFiles } from './tls-files.ts';
export { AGENT_KINDS, GATEWAY_KINDS } from './kinds.ts';
