import { readFileSync } from 'node:fs';
import type { ServerTls } from './tls.ts';

/** Settings of a server: files in PEM. */
export interface ServerTlsFiles {
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsClientCa: string | undefined;
}

/** What is wrong with them; `name` says how a setting is called: `gateway.tlsCert`. */
export function serverTlsProblems(files: ServerTlsFiles, name: (field: keyof ServerTlsFiles) => string): string[] {
  const { tlsCert, tlsKey, tlsClientCa } = files;
  const isHalf =
    (tlsCert === undefined) !== (tlsKey === undefined) || (tlsClientCa !== undefined && tlsCert === undefined);
  const half = isHalf
    ? [`${name('tlsCert')} and ${name('tlsKey')} belong together, and ${name('tlsClientCa')} needs both`]
    : [];
  const unreadable = (['tlsCert', 'tlsKey', 'tlsClientCa'] as const).flatMap((field) => {
    const file = files[field];
    if (file === undefined) return [];
    try {
      readFileSync(file);
      return [];
    } catch (error) {
      return [`${name(field)} ${JSON.stringify(file)}: ${(error as Error).message}`];
    }
  });
  return [...half, ...unreadable];
}

/** Undefined: plain text. Throws when a file cannot be read. */
export function serverTlsOf({ tlsCert, tlsKey, tlsClientCa }: ServerTlsFiles): ServerTls | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    cert: readFileSync(tlsCert),
    key: readFileSync(tlsKey),
    ...(tlsClientCa === undefined ? {} : { clientCa: readFileSync(tlsClientCa) }),
  };
}
