import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type Options, type PackageDefinition } from '@grpc/proto-loader';

/** The folder `proto`: above the sources as above what is built of them. */
export function protoFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const proto = join(folder, 'proto');
    if (existsSync(join(proto, 'rondo/v1/worker.proto'))) return proto;
    if (folder === dirname(folder)) throw new Error(`there is no folder 'proto' above ${import.meta.dirname}`);
  }
}

/** Reads files of `proto`. Fields are named in camel case, 64-bit numbers are numbers, absent messages are null. */
export function loadProtos(files: readonly string[], options: Options = {}): PackageDefinition {
  return loadSync([...files], {
    includeDirs: [protoFolder()],
    longs: Number,
    enums: String,
    defaults: true,
    arrays: true,
    ...options,
  });
}

/** A service of what was read. Throws when it is not there: its name is written in code. */
export function serviceOf(protos: PackageDefinition, name: string): ServiceDefinition {
  const found = protos[name];
  if (found === undefined || 'format' in found) throw new Error(`the protocol files have no service '${name}'`);
  return found;
}

export function methodOf<Request, Response>(
  service: ServiceDefinition,
  name: string,
): MethodDefinition<Request, Response> {
  const found = service[name];
  if (found === undefined) throw new Error(`the service has no method '${name}'`);
  return found as unknown as MethodDefinition<Request, Response>;
}
