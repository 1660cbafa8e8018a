import type { INestApplicationContext } from '@nestjs/common';
import { startGrpcServer, type GrpcListenOptions } from '@rondo/adapter-grpc';
import { QueryService } from './query-service.ts';

export interface GrpcApiServer {
  /** `host:port` where it listens. */
  readonly address: string;
  setServing(serving: boolean): void;
  close(): Promise<void>;
}

/** How long calls may take to end. Milliseconds. */
const GRACE_MS = 2_000;

/** Serves `rondo.v1.Query` beside an application that imports QueryModule and is ready. Rejects when it cannot listen. */
export async function serveGrpc(app: INestApplicationContext, options: GrpcListenOptions): Promise<GrpcApiServer> {
  const service = new QueryService(app);
  const server = await startGrpcServer({
    ...options,
    protos: ['rondo/v1/query.proto'],
    services: { 'rondo.v1.Query': service.implementation },
  });
  return {
    address: server.address,
    setServing: (serving) => server.setServing(serving),
    close: () => {
      service.end();
      return server.stop(GRACE_MS);
    },
  };
}
