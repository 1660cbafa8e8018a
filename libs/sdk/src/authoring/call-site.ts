import { fileURLToPath } from 'node:url';
import { getCallSites, type CallSiteObject } from 'node:util';

/** Where in a DAG file something was constructed. Line and column count from 1. */
export interface CallSite {
  /** Absolute path. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Enough for most constructors; the rest of the stack is looked at only if the author is not found there. */
const NEAR = 10;
const FAR = 60;
const OWN = [new URL('../', import.meta.url), new URL('../../../operators/src/', import.meta.url)].map((url) =>
  fileURLToPath(url),
);

export function pathOfScript(script: string): string {
  return script.startsWith('file://') ? fileURLToPath(script) : script;
}

const isOwn = (path: string): boolean => OWN.some((folder) => path.startsWith(folder)) && !path.endsWith('.spec.ts');

/** The author's innermost line on the stack: neither the SDK's nor Node's. */
export function callSite(): CallSite | undefined {
  return authorIn(getCallSites(NEAR)) ?? authorIn(getCallSites(FAR));
}

function authorIn(frames: readonly CallSiteObject[]): CallSite | undefined {
  for (const { scriptName, lineNumber, columnNumber } of frames) {
    if (scriptName === '' || scriptName.startsWith('node:')) continue;
    const file = pathOfScript(scriptName);
    if (!isOwn(file)) return { file, line: lineNumber, column: columnNumber };
  }
  return undefined;
}
