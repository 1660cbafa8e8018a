import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { createCompiler, type TemplateCompiler } from './compiler.ts';
import { PendingLookup, TemplateError } from './errors.ts';
import { filtersWith, LENIENT, TESTS } from './filters.ts';
import { literalEval } from './literal-eval.ts';
import { macros } from './macros.ts';
import { loadNunjucks, type Environment, type Nunjucks } from './nunjucks.ts';
import * as operations from './operations.ts';
import { isText, splitArgs, strict } from './values.ts';

type Fn = (...args: unknown[]) => unknown;

const CACHE = 1000;

export interface EngineOptions {
  readonly native: boolean;
  readonly searchPath: readonly string[];
  readonly name: string;
  /** By name, before those that there are. */
  readonly filters?: Readonly<Record<string, Fn>>;
}

/** A text is what it says as a literal of Python, as Jinja's native environment has it. */
function nativeOf(value: unknown): unknown {
  if (!isText(value)) return value;
  const literal = literalEval(String(value));
  return literal === undefined ? String(value) : literal.value;
}

/** Renders one text. Compiled texts are kept: a warm child renders the same few again and again. */
export class TemplateEngine {
  readonly #nunjucks: Nunjucks = loadNunjucks();
  readonly #compiler: TemplateCompiler = createCompiler();
  readonly #environments = new Map<string, Environment>();
  readonly #compiled = new Map<string, object>();
  readonly #filters: Readonly<Record<string, Fn>>;
  /** Of the template that is being rendered: rendering never waits, so there is one at a time. */
  #own: Readonly<Record<string, Fn>> = {};
  #captured: { value: unknown } | undefined;

  constructor() {
    this.#filters = filtersWith(
      (name) =>
        (value, ...args) =>
          this.#filter(name, undefined, [value, ...args]),
      (name) => this.#test(name),
    );
  }

  /** `native`: a template that is one expression gives its value, not a text. */
  render(source: string, context: Readonly<Record<string, unknown>>, options: EngineOptions): unknown {
    const { native, searchPath, name, filters = {} } = options;
    try {
      const obj = this.#compile(source, name, native);
      const template = new this.#nunjucks.Template({ type: 'code', obj }, this.#environment(searchPath), name, true);
      this.#captured = undefined;
      this.#own = filters;
      const text = template.render(context);
      const captured = this.#captured as { value: unknown } | undefined;
      return native ? nativeOf(captured === undefined ? text : captured.value) : text;
    } catch (error) {
      throw translate(error);
    }
  }

  #compile(source: string, name: string, native: boolean): object {
    const key = `${native ? 'n' : 't'}${name}\0${source}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const compiled = this.#compiler.compile(source, name, native);
    if (this.#compiled.size >= CACHE) this.#compiled.clear();
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #environment(searchPath: readonly string[]): Environment {
    const key = searchPath.join('\0');
    const known = this.#environments.get(key);
    if (known !== undefined) return known;
    const loader = Object.assign(new this.#nunjucks.Loader(), {
      cache: {},
      getSource: (name: string) => {
        const path = findFile(name, searchPath);
        return path === undefined
          ? null
          : {
              src: { type: 'code', obj: this.#compile(readFileSync(path, 'utf8'), name, false) },
              path: name,
              noCache: true,
            };
      },
    });
    const environment = new this.#nunjucks.Environment([loader], { autoescape: false, dev: true });
    environment.addGlobal('macros', macros);
    environment.addGlobal('dict', (...args: unknown[]) => ({ ...splitArgs(args).kwargs }));
    const py = {
      ...operations,
      capture: (value: unknown) => {
        this.#captured = { value: strict(value) };
        return '';
      },
      filter: (name: string, scope: unknown, args: readonly unknown[]) => this.#filter(name, scope, args),
      test: (name: string, value: unknown, args: readonly unknown[]) => this.#test(name)(value, ...args),
    };
    Object.assign(environment, { py });
    this.#environments.set(key, environment);
    return environment;
  }

  #filter(name: string, scope: unknown, args: readonly unknown[]): unknown {
    const own = [this.#own, this.#filters].find((filters) => Object.hasOwn(filters, name))?.[name];
    const filter = own ?? this.#environment([]).filters[name];
    if (filter === undefined) throw new TemplateError(`there is no filter '${name}'`);
    return filter.apply(scope, LENIENT.has(name) ? [...args] : args.map(strict));
  }

  #test(name: string): (value: unknown, ...args: unknown[]) => boolean {
    const test = Object.hasOwn(TESTS, name) ? TESTS[name] : undefined;
    if (test === undefined)
      throw new TemplateError(`there is no test '${name}'; known: ${Object.keys(TESTS).join(', ')}`);
    return LENIENT.has(name) ? test : (value, ...args) => test(strict(value) as unknown, ...args);
  }
}

/** The first file of that name in the folders, in their order. */
export function findFile(name: string, searchPath: readonly string[]): string | undefined {
  const candidates = isAbsolute(name) ? [name] : searchPath.map((folder) => join(folder, name));
  return candidates.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

/** nunjucks wraps what is thrown while it renders: the reason is the innermost cause, the line that of the outermost wrapper. */
function translate(error: unknown): Error {
  let reason = error;
  let line: number | undefined;
  while (reason instanceof Error && !(reason instanceof TemplateError || reason instanceof PendingLookup)) {
    const { lineno, cause } = reason as { lineno?: number; cause?: unknown };
    if (lineno !== undefined && line === undefined) line = cause instanceof Error ? lineno + 1 : lineno;
    if (!(cause instanceof Error)) break;
    reason = cause;
  }
  if (reason instanceof PendingLookup) return reason;
  if (reason instanceof TemplateError) return reason.on(line);
  const message = reason instanceof Error ? reason.message : String(reason);
  return new TemplateError(message.replace(/^\([^)]*\)(?: \[[^\]]*\])?\s*/, ''), { line });
}
