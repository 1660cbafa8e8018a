import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { credentials, ServerCredentials, type ChannelCredentials } from '@grpc/grpc-js';

type Pem = string | Buffer;

/** Certificates in PEM. */
export interface ServerTls {
  readonly cert: Pem;
  readonly key: Pem;
  /** Mutual TLS: clients must show a certificate that one of these has signed. */
  readonly clientCa?: Pem;
}

/** Certificates in PEM. */
export interface ClientTls {
  /** Who may have signed the server's certificate. Default: those that Node trusts. */
  readonly ca?: Pem;
  /** The client's own, for mutual TLS. */
  readonly cert?: Pem;
  readonly key?: Pem;
  /** The name in the server's certificate. Default: that in the address. */
  readonly serverName?: string;
}

export function serverCredentials(tls: ServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { cert, key, clientCa } = tls;
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  return ServerCredentials.createSsl(
    clientCa === undefined ? null : Buffer.from(clientCa),
    [pair],
    clientCa !== undefined,
  );
}

/** TLS has no server names that are IP addresses, so that another is sent; checked is the address all the same. */
const NAME_OF_ADDRESS = 'gateway';

export function clientCredentials(tls: ClientTls | undefined, address: string): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const bytes = (pem: Pem | undefined) => (pem === undefined ? null : Buffer.from(pem));
  const name = tls.serverName ?? hostOf(address);
  return credentials.createSsl(bytes(tls.ca), bytes(tls.key), bytes(tls.cert), {
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  });
}

/** Options of the channel that go with the credentials. */
export function nameOptions(tls: ClientTls | undefined, address: string): Record<string, string> {
  if (tls === undefined) return {};
  const name = tls.serverName ?? hostOf(address);
  return { 'grpc.ssl_target_name_override': isIP(name) === 0 ? name : NAME_OF_ADDRESS };
}

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':')).replaceAll(/[[\]]/g, '');

interface Certificate {
  readonly subject?: { readonly CN?: string | string[] };
  readonly subjectaltname?: string;
}

/** Whom a certificate is for: the common name and the DNS names and URIs beside it. */
export function namesOf(certificate: Certificate): ReadonlySet<string> {
  const common = certificate.subject?.CN ?? [];
  const others = (certificate.subjectaltname ?? '')
    .split(', ')
    .flatMap((each) => /^(?:DNS|URI):(.+)$/.exec(each)?.[1] ?? []);
  return new Set([...(typeof common === 'string' ? [common] : common), ...others]);
}
