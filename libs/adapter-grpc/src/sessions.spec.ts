import { describeSessionsContract, testAuthority, type SessionsFixture, type SessionStores } from '@rondo/testing';
import { grpcGatewayLine, grpcSessionHost, type ClientTls, type ServerTls } from './index.ts';

const authority = testAuthority();
const gateway = authority.of('gateway');
const worker = authority.of('w1');

const over =
  (tls?: ServerTls, clientTls?: ClientTls) =>
  async (stores: SessionStores): Promise<SessionsFixture> => {
    const host = grpcSessionHost({ listen: '127.0.0.1:0', ...stores, ...(tls === undefined ? {} : { tls }) });
    return {
      host,
      line: () => grpcGatewayLine({ address: host.address, ...(clientTls === undefined ? {} : { tls: clientTls }) }),
      dispose: async () => undefined,
    };
  };

describeSessionsContract('gRPC', over());
describeSessionsContract('gRPC with TLS', over(gateway, { ca: authority.ca }));
describeSessionsContract(
  'gRPC with mutual TLS',
  over({ ...gateway, clientCa: authority.ca }, { ca: authority.ca, ...worker }),
);
