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
    message: cut(mask(String(thrown.message)), MESSAGE),
    ...(stack === '' ? {} : { stack: cut(mask(stack), STACK) }),
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
