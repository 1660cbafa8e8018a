import type { Json } from '@rondo/kernel';
import type { Operation } from '../http/operation.ts';
import { validate } from '../http/validate.ts';
import { jsonOf, protoValue, type ProtoValue } from './json-value.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Fields whose values are JSON of any shape: `google.protobuf.Value`. */
export const JSON_FIELDS: ReadonlySet<string> = new Set(['conf', 'timetable', 'definition', 'data', 'meta']);

/** What a request says: a list without elements and a message that is absent say nothing. */
export function saidIn(request: Fields): Fields {
  const said = Object.entries(request).filter(
    ([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(
    said.map(([name, value]) => [name, JSON_FIELDS.has(name) ? jsonOf(value as ProtoValue) : value]),
  );
}

/** The parts of an operation's input, validated as those of a request by HTTP are. */
export function inputOf(operation: Operation, said: Fields): { params: unknown; query: unknown; body: unknown } {
  const inPath = new Set(Object.keys(operation.params?.shape ?? {}));
  const pick = (wanted: boolean) =>
    Object.fromEntries(Object.entries(said).filter(([name]) => inPath.has(name) === wanted));
  const { params, query, body } = operation;
  return {
    params: params === undefined ? undefined : validate(params, 'path', pick(true)),
    query: query === undefined ? undefined : validate(query, 'query', pick(false)),
    body: body === undefined ? undefined : validate(body, 'body', pick(false)),
  };
}

/** An answer as a message: what is null is not set. */
export function messageOf(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(messageOf);
  if (typeof answer !== 'object' || answer === null) return answer;
  return Object.fromEntries(
    Object.entries(answer)
      .filter(([name, value]) => value !== undefined && (value !== null || JSON_FIELDS.has(name)))
      .map(([name, value]) => [name, JSON_FIELDS.has(name) ? protoValue(value as Json) : messageOf(value)]),
  );
}
