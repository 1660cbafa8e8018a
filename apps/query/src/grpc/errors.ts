import { randomUUID } from 'node:crypto';
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { Logger } from '@nestjs/common';
import { loadProtos } from '@rondo/adapter-grpc';
import { StoreUnavailableError } from '@rondo/ports';
import { HttpProblem } from '../http/problem.ts';

const CODES: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  409: status.FAILED_PRECONDITION,
  410: status.NOT_FOUND,
  413: status.RESOURCE_EXHAUSTED,
  422: status.INVALID_ARGUMENT,
  503: status.UNAVAILABLE,
};

const logger = new Logger('grpc');
const protos = loadProtos(['google/rpc/status.proto', 'google/rpc/error_details.proto']);

/** How a refusal leaves: code, text, and `google.rpc.Status` with details. What nobody expected is logged, as for HTTP. */
export function errorOf(error: unknown, method: string): StatusObject {
  const problem = problemOf(error, method);
  const code = CODES[problem.status] ?? status.INTERNAL;
  const faults = problem.errors.map(({ name, message }) => ({ field: snake(name), description: message }));
  const details =
    faults.length === 0
      ? problem.message
      : faults.map(({ field, description }) => `field '${field}': ${description}`).join('; ');
  const detail =
    faults.length > 0
      ? any('google.rpc.BadRequest', { fieldViolations: faults })
      : any('google.rpc.ErrorInfo', { reason: reasonOf(problem.title), domain: 'rondo' });
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', encode('google.rpc.Status', { code, message: details, details: [detail] }));
  return { code, details, metadata };
}

function problemOf(error: unknown, method: string): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof StoreUnavailableError) return new HttpProblem(503, 'Unavailable', error.message);
  const reference = randomUUID();
  logger.error(
    `${method} failed (${reference}): ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return new HttpProblem(500, 'Internal error', `something failed that should not; the log has it as ${reference}`);
}

const any = (name: string, message: object) => ({
  type_url: `type.googleapis.com/${name}`,
  value: encode(name, message),
});

function encode(name: string, message: object): Buffer {
  const type = protos[name];
  if (type === undefined || !('serialize' in type)) throw new Error(`the protocol files have no message '${name}'`);
  return (type.serialize as (message: object) => Buffer)(message);
}

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const reasonOf = (title: string): string => title.toUpperCase().replaceAll(/[^A-Z]+/g, '_');
