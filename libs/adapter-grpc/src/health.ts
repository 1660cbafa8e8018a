import {
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

interface HealthRequest {
  readonly service: string;
}
interface HealthResponse {
  readonly status: 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}

/** Whether a server and its services can be used: `grpc.health.v1`. Serving until told otherwise. */
export class Health {
  private readonly services: ReadonlySet<string>;
  private readonly watching = new Set<ServerWritableStream<HealthRequest, HealthResponse>>();
  private serving = true;

  constructor(services: readonly string[]) {
    this.services = new Set(['', ...services]);
  }

  readonly implementation: UntypedServiceImplementation = {
    check: (call: ServerUnaryCall<HealthRequest, HealthResponse>, answer: sendUnaryData<HealthResponse>) => {
      const { service } = call.request;
      if (this.services.has(service)) answer(null, this.stand(service));
      else answer({ code: status.NOT_FOUND, details: `there is no service '${service}'` });
    },
    watch: (call: ServerWritableStream<HealthRequest, HealthResponse>) => {
      this.watching.add(call);
      call.on('cancelled', () => this.watching.delete(call));
      call.write(this.stand(call.request.service));
    },
  };

  set(serving: boolean): void {
    if (this.serving === serving) return;
    this.serving = serving;
    for (const call of this.watching) call.write(this.stand(call.request.service));
  }

  /** Those who watch are told that the server serves no more, and let go. */
  end(): void {
    this.set(false);
    for (const call of this.watching) call.end();
    this.watching.clear();
  }

  private stand(service: string): HealthResponse {
    if (!this.services.has(service)) return { status: 'SERVICE_UNKNOWN' };
    return { status: this.serving ? 'SERVING' : 'NOT_SERVING' };
  }
}
