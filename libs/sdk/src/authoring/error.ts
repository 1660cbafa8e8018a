import { relative, sep } from 'node:path';
import type { CallSite } from './call-site.ts';

export interface DagErrorDetails {
  readonly dagId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly at?: CallSite | undefined;
}

const isDagError = Symbol.for('rondo.DagError');

/** A DAG that cannot be what its file says. `message` names file, line, DAG, task, attribute, value and what is allowed. */
export class DagError extends Error {
  override readonly name = 'DagError';
  readonly [isDagError] = true;
  readonly reason: string;
  readonly dagId: string | undefined;
  readonly taskId: string | undefined;
  readonly at: CallSite | undefined;

  constructor(reason: string, details: DagErrorDetails = {}) {
    super(describe(reason, details, process.cwd()));
    this.reason = reason;
    this.dagId = details.dagId;
    this.taskId = details.taskId;
    this.at = details.at;
  }

  /** True for the error of any copy of the SDK. */
  static is(value: unknown): value is DagError {
    return typeof value === 'object' && value !== null && isDagError in value;
  }
}

/** The whole text, with the file relative to a folder. */
export function describe(reason: string, { dagId, taskId, at }: DagErrorDetails, root: string): string {
  const place = at === undefined ? [] : [`${relativeTo(root, at.file)}:${at.line}:${at.column}:`];
  const owner = [dagId === undefined ? [] : [`DAG '${dagId}'`], taskId === undefined ? [] : [`task '${taskId}'`]]
    .flat()
    .join(', ');
  return [...place, ...(owner === '' ? [] : [`${owner}:`]), reason].join(' ');
}

/** With `/`; a path outside of the folder stays whole. */
export function relativeTo(root: string, path: string): string {
  const from = relative(root, path);
  return from === '' || from.startsWith('..') ? path : from.replaceAll(sep, '/');
}

/** A value as a message shows it: short, whatever it is. */
export function show(value: unknown): string {
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
  if (
    typeof value === 'bigint' ||
    typeof value === 'symbol' ||
    value === undefined ||
    (typeof value === 'number' && !Number.isFinite(value))
  )
    return String(value);
  let text: string | undefined;
  try {
    text = typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
  } catch {
    text = undefined;
  }
  text ??= Object.prototype.toString.call(value);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
