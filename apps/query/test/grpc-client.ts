import { Client, credentials, Metadata, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { loadProtos, serviceOf } from '@rondo/adapter-grpc';

export type Message = Readonly<Record<string, unknown>>;

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

const protos = loadProtos([
  'rondo/v1/query.proto',
  'grpc/health/v1/health.proto',
  'google/rpc/status.proto',
  'google/rpc/error_details.proto',
]);

/** A client that knows nothing but the files in `proto`. */
export class GrpcClient {
  private readonly client: Client;
  private readonly service;

  constructor(address: string, service = 'rondo.v1.Query', channel: ChannelCredentials = credentials.createInsecure()) {
    this.client = new Client(address, channel);
    this.service = serviceOf(protos, service);
  }

  get methods(): string[] {
    return Object.keys(this.service);
  }

  /** Rejects with a `ServiceError`. */
  call(
    method: string,
    request: Message,
    options: CallOptions = {},
  ): Promise<{ readonly body: Message; readonly position: number }> {
    const { path, requestSerialize, responseDeserialize } = this.service[method]!;
    let position = Number.NaN;
    return new Promise((resolve, reject) => {
      const call = this.client.makeUnaryRequest(
        path,
        requestSerialize as (message: Message) => Buffer,
        responseDeserialize as (bytes: Buffer) => Message,
        request,
        metadataOf(options),
        options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs },
        (error, body) => (error === null ? resolve({ body: body!, position }) : reject(error as Error)),
      );
      call.on('metadata', (metadata) => (position = Number(metadata.get('rondo-position')[0])));
    });
  }

  /** What a stream tells, until it ends or `enough` says so. */
  stream(
    method: string,
    request: Message,
    enough: (all: readonly Message[]) => boolean = () => false,
    options: CallOptions = {},
  ): Promise<Message[]> {
    const { path, requestSerialize, responseDeserialize } = this.service[method]!;
    const call = this.client.makeServerStreamRequest(
      path,
      requestSerialize as (message: Message) => Buffer,
      responseDeserialize as (bytes: Buffer) => Message,
      request,
      metadataOf(options),
    );
    const all: Message[] = [];
    return new Promise((resolve, reject) => {
      call.on('data', (message: Message) => {
        all.push(message);
        if (!enough(all)) return;
        resolve(all);
        call.cancel();
      });
      call.on('error', reject);
      call.on('end', () => resolve(all));
    });
  }

  close(): void {
    this.client.close();
  }
}

/** The `google.rpc.Status` of an error, its details by their type. */
export function detailsOf(error: ServiceError): Readonly<Record<string, Message>> {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const decode = (name: string, value: Buffer) =>
    (protos[name] as unknown as { deserialize(bytes: Buffer): Message }).deserialize(value);
  const status = decode('google.rpc.Status', bytes as Buffer) as unknown as {
    readonly details: readonly { readonly type_url: string; readonly value: Buffer }[];
  };
  return Object.fromEntries(
    status.details.map((detail) => {
      const name = detail.type_url.replace('type.googleapis.com/', '');
      return [name, decode(name, detail.value)];
    }),
  );
}

function metadataOf({ metadata = {} }: CallOptions): Metadata {
  const made = new Metadata();
  for (const [name, value] of Object.entries(metadata)) made.set(name, value);
  return made;
}
