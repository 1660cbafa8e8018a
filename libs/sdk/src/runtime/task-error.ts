import type { TaskError } from '@rondo/domain';
import { show } from '../authoring/error.ts';
import { TemplateError } from '../templates/index.ts';

const MESSAGE = 4_096;
const STACK = 11_000;
const CAUSES = 5;

/** A refused branch decision. */
export class BranchError extends Error {
  override readonly name = 'BranchError';
}

/** What was thrown, as the history keeps it: masked, cut, with the chain of causes in the stack. */
export function taskError(thrown: unknown, mask: (text: string) => string): TaskError {
  const kind = thrown instanceof TemplateError ? 'template' : thrown instanceof BranchError ? 'branch' : 'exception';
  if (!isError(thrown)) return { kind, message: cut(mask(`thrown: ${show(thrown)}`), MESSAGE) };
  const type =
    typeof thrown.name === 'string' && thrown.name !== 'Error' ? thrown.name : (thrown.constructor?.name ?? 'Error');
  const stack = stackOf(thrown);
  return {
    kind,
    type,
    ...typesOf(thrown, type),
    ...endOf(thrown),
    message: cut(mask(String(thrown.message)), MESSAGE),
    ...(stack === '' ? {} : { stack: cut(mask(stack), STACK) }),
  };
}

const TYPES = 16;
const NAME = 100;

/** Names that a retry policy may look for besides the error's own. */
function typesOf(error: Error, type: string): Pick<TaskError, 'types'> {
  const names = new Set<string>();
  let at: unknown = error;
  for (let depth = 0; isError(at) && depth < CAUSES; depth++, at = at.cause) {
    if (typeof at.name === 'string') names.add(at.name);
    for (let each: unknown = Object.getPrototypeOf(at); each !== null; each = Object.getPrototypeOf(each)) {
      const name = (each as { constructor?: { name?: unknown } }).constructor?.name;
      if (typeof name === 'string') names.add(name);
    }
  }
  const others = [...names].filter((name) => name !== '' && name !== type && name !== 'Error' && name !== 'Object');
  return others.length === 0 ? {} : { types: others.slice(0, TYPES).map((name) => cut(name, NAME)) };
}

/** What the error says of a process that it tells of. */
function endOf(error: Error): Pick<TaskError, 'exitCode' | 'signal'> {
  const { exitCode, signal } = error as { readonly exitCode?: unknown; readonly signal?: unknown };
  return {
    ...(Number.isInteger(exitCode) ? { exitCode: exitCode as number } : {}),
    ...(typeof signal === 'string' && signal !== '' ? { signal: cut(signal, NAME) } : {}),
  };
}

function isError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'message' in value;
}

function stackOf(error: Error): string {
  const parts: string[] = [];
  for (let at: unknown = error; isError(at) && parts.length < CAUSES; at = at.cause) {
    const stack = typeof at.stack === 'string' ? at.stack : '';
    if (stack !== '') parts.push(parts.length === 0 ? stack : `caused by: ${stack}`);
  }
  return parts.join('\n');
}

function cut(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}
