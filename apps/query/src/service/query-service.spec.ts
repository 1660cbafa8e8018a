import { queryService } from './query-service.ts';

type Config = Parameters<NonNullable<typeof queryService.check>>[0];

/** Only what the check looks at. */
const checked = (api: object): readonly string[] =>
  queryService.check!({ kafka: {}, api: { listen: { host: '127.0.0.1', port: 8080 }, ...api } } as unknown as Config);

describe('settings of the query service', () => {
  const everywhere = { host: '0.0.0.0', port: 9090 };

  it('need a token for others, over HTTP and over gRPC', () => {
    expect(checked({})).toEqual([]);
    expect(checked({ listen: everywhere })).toEqual([expect.stringContaining('api.listen "0.0.0.0"')]);
    expect(checked({ grpcListen: everywhere })).toEqual([expect.stringContaining('api.grpcListen "0.0.0.0"')]);
    expect(checked({ grpcListen: everywhere, token: 'x'.repeat(16) })).toEqual([]);
  });

  it('name the files of gRPC as they are called', () => {
    expect(checked({ grpcTlsCert: '/none' })).toEqual([
      expect.stringContaining('api.grpcTlsCert and api.grpcTlsKey belong together'),
      expect.stringContaining('api.grpcTlsCert "/none"'),
    ]);
  });
});
