import { fileURLToPath } from 'node:url';
import { getCallSites } from 'node:util';

/** Where in a DAG file something was constructed. Line and column count from 1. */
export interface CallSite {
  /** Absolute path. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const DEPTH = 24;
const OWN = [new URL('../', import.meta.url), new URL('../../../operators/src/', import.meta.url)].map((url) =>
  fileURLToPath(url),
);

export function pathOfScript(script: string): string {
  return script.startsWith('file://') ? fileURLToPath(script) : script;
}

const isOwn = (path: string): boolean => OWN.some((folder) => path.startsWith(folder)) && !path.endsWith('.spec.ts');

/** The author's innermost line on the stack: neither the SDK's nor Node's. */
export function callSite(): CallSite | undefined {
  for (const { scriptName, lineNumber, columnNumber } of getCallSites(DEPTH)) {
    if (scriptName === '' || scriptName.startsWith('node:')) continue;
    const file = pathOfScript(scriptName);
    if (!isOwn(file)) return { file, line: lineNumber, column: columnNumber };
  }
  return undefined;
}
