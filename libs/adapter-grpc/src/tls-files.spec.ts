import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverTlsOf, serverTlsProblems, type ServerTlsFiles } from './tls-files.ts';

describe('files of certificates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rondo-tls-'));
  const file = (name: string): string => {
    writeFileSync(join(folder, name), name);
    return join(folder, name);
  };
  const none: ServerTlsFiles = { tlsCert: undefined, tlsKey: undefined, tlsClientCa: undefined };
  const problems = (files: Partial<ServerTlsFiles>) =>
    serverTlsProblems({ ...none, ...files }, (field) => `gateway.${field}`);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('may all be absent: plain text', () => {
    expect(problems({})).toEqual([]);
    expect(serverTlsOf(none)).toBeUndefined();
  });

  it('are read', () => {
    const files = { tlsCert: file('cert'), tlsKey: file('key'), tlsClientCa: file('ca') };
    expect(problems(files)).toEqual([]);
    expect(serverTlsOf(files)).toEqual({
      cert: Buffer.from('cert'),
      key: Buffer.from('key'),
      clientCa: Buffer.from('ca'),
    });
  });

  it.each([
    ['a certificate alone', { tlsCert: file('cert') }],
    ['a key alone', { tlsKey: file('key') }],
    ['an authority alone', { tlsClientCa: file('ca') }],
  ])('belong together: not %s', (_name, files) => {
    expect(problems(files)).toEqual([
      'gateway.tlsCert and gateway.tlsKey belong together, and gateway.tlsClientCa needs both',
    ]);
  });

  it('are named when they cannot be read, each of them', () => {
    const gone = join(folder, 'gone');
    expect(problems({ tlsCert: gone, tlsKey: gone })).toEqual([
      expect.stringContaining(`gateway.tlsCert "${gone}": ENOENT`),
      expect.stringContaining(`gateway.tlsKey "${gone}": ENOENT`),
    ]);
  });
});
