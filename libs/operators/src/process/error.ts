import type { ProcessEnd } from './run.ts';

/** What a process came to, for a retry policy to look at. */
export function processError(message: string, { code, signal }: ProcessEnd): Error {
  return Object.assign(new Error(message), code === null ? {} : { exitCode: code }, signal === null ? {} : { signal });
}
