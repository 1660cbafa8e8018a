import { sep } from 'node:path';
import { getCallSites } from 'node:util';
import { pathOfScript } from '../authoring/call-site.ts';
import { DagError } from '../authoring/error.ts';

const DEPTH = 16;

let roots: readonly string[] = [];
let restore: (() => void) | undefined;

/**
 * Runs `load` while the present moment is refused to every file under `root` (absolute path), packages in it excepted: a DAG
 * file is loaded again and again, and what it says must not change with the time of day. Given dates work: `new Date('2024-01-01')`.
 */
export async function withStaticClock<T>(root: string, load: () => Promise<T>): Promise<T> {
  const mine = root.endsWith(sep) ? root : root + sep;
  roots = [...roots, mine];
  restore ??= install();
  try {
    return await load();
  } finally {
    roots = roots.toSpliced(roots.indexOf(mine), 1);
    if (roots.length === 0) {
      restore?.();
      restore = undefined;
    }
  }
}

/** Throws if the call stands in a DAG file that is being loaded. What a package does for itself is its own affair. */
function refuse(what: string): void {
  if (roots.length === 0) return;
  const caller = getCallSites(DEPTH).find(({ scriptName }) => isUser(scriptName));
  if (caller === undefined) return;
  const file = pathOfScript(caller.scriptName);
  if (!roots.some((root) => file.startsWith(root)) || file.includes(`${sep}node_modules${sep}`)) return;
  throw new DagError(
    `${what} at top level depends on when the file is loaded, and the file is loaded many times; allowed: a given date such as new Date('2024-01-01'), and ${what} inside of a task`,
    { at: { file, line: caller.lineNumber, column: caller.columnNumber } },
  );
}

const isUser = (script: string): boolean =>
  script !== '' && !script.startsWith('node:') && script !== import.meta.url && script !== import.meta.filename;

function install(): () => void {
  const RealDate = globalThis.Date;
  globalThis.Date = new Proxy(RealDate, {
    construct(target, args: unknown[], newTarget: NewableFunction) {
      if (args.length === 0) refuse('new Date()');
      return Reflect.construct(target, args, newTarget) as object;
    },
    apply(target, _self, args: unknown[]) {
      refuse('Date()');
      return Reflect.apply(target as unknown as () => string, undefined, args);
    },
    get(target, key, receiver) {
      if (key !== 'now') return Reflect.get(target, key, receiver) as unknown;
      return () => {
        refuse('Date.now()');
        return RealDate.now();
      };
    },
  });
  const undo = [
    () => (globalThis.Date = RealDate),
    ...guardMethods(Temporal.Now, 'Temporal.Now', [
      'instant',
      'plainDateISO',
      'plainDateTimeISO',
      'plainTimeISO',
      'zonedDateTimeISO',
    ]),
    ...guardMethods(performance, 'performance', ['now']),
  ];
  return () => undo.forEach((each) => each());
}

function guardMethods(owner: object, name: string, methods: readonly string[]): (() => void)[] {
  return methods.map((method) => {
    const own = Object.getOwnPropertyDescriptor(owner, method);
    const real = (owner as Record<string, (...args: unknown[]) => unknown>)[method]!;
    Object.defineProperty(owner, method, {
      configurable: true,
      writable: true,
      enumerable: own?.enumerable ?? false,
      value: (...args: unknown[]) => {
        refuse(`${name}.${method}()`);
        return real.apply(owner, args);
      },
    });
    return () => {
      if (own === undefined) delete (owner as Record<string, unknown>)[method];
      else Object.defineProperty(owner, method, own);
    };
  });
}
