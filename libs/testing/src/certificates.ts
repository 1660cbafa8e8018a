import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** In PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority {
  /** In PEM. */
  readonly ca: string;
  /** A certificate for this name, and for `localhost` and 127.0.0.1, for servers and clients. */
  readonly of: (name: string) => TestCertificate;
}

/** An authority for the length of a test: X.509 with keys on P-256, as much of it as TLS needs. */
export function testAuthority(name = 'test authority'): TestAuthority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const isCa = extension('2.5.29.19', sequence(tlv(0x01, Buffer.from([0xff]))), true);
  const ca = certificate({ subject: name, issuer: name, key: keys.publicKey, signedWith: keys.privateKey }, [isCa]);
  return {
    ca,
    of: (subject) => {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const dns = (text: string) => tlv(0x82, Buffer.from(text));
      const names = sequence(dns(subject), dns('localhost'), tlv(0x87, Buffer.from([127, 0, 0, 1])));
      const given = { subject, issuer: name, key: own.publicKey, signedWith: keys.privateKey };
      return {
        cert: certificate(given, [extension('2.5.29.17', names, false)]),
        key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
    },
  };
}

interface Given {
  readonly subject: string;
  readonly issuer: string;
  readonly key: KeyObject;
  readonly signedWith: KeyObject;
}

function certificate({ subject, issuer, key, signedWith }: Given, extensions: readonly Buffer[]): string {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const version = tlv(0xa0, tlv(0x02, Buffer.from([2])));
  const serial = tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)]));
  const validity = sequence(time('20200101000000Z'), time('20991231235959Z'));
  const signed = sequence(
    ...[version, serial, algorithm, nameOf(issuer), validity, nameOf(subject)],
    key.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions)),
  );
  const der = sequence(signed, algorithm, bits(sign('sha256', signed, signedWith)));
  const lines = der.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** Tag, length, value: DER. */
function tlv(tag: number, ...values: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(values);
  const { length } = value;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, Math.floor(length / 0x100), length % 0x100];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}

const sequence = (...values: readonly Uint8Array[]): Buffer => tlv(0x30, ...values);
const time = (text: string): Buffer => tlv(0x18, Buffer.from(text));
const bits = (value: Uint8Array): Buffer => tlv(0x03, Buffer.from([0]), value);
const nameOf = (common: string): Buffer =>
  sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(common)))));

function extension(id: string, value: Buffer, critical: boolean): Buffer {
  const flag = critical ? [tlv(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...flag, tlv(0x04, value));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const groups = [number % 128];
    for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift(128 + (left % 128));
    return groups;
  });
  return tlv(0x06, Buffer.from(bytes));
}
