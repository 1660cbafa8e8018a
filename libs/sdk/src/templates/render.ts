import { readFileSync } from 'node:fs';
import { findFile, TemplateEngine } from './engine.ts';
import { TemplateError } from './errors.ts';
import { isLiteral, literalValue } from './literal.ts';
import { isPlainObject } from './values.ts';

export interface RenderOptions {
  /**
   * True: a text that is one `{{ expression }}` gives the expression's value, and what comes out as a text is read as a literal of
   * Python where it is one. Default false.
   */
  readonly native?: boolean;
  /** Absolute folders in which template files and includes are looked for, in this order. Default: none. */
  readonly searchPath?: readonly string[];
  /** A text that ends in one of these names a file, and the file's content is rendered. Default: none. */
  readonly extensions?: readonly string[];
  /** Filters of the user, by name, before those that there are. */
  readonly filters?: Readonly<Record<string, (...args: unknown[]) => unknown>>;
  /** Names the field in errors. */
  readonly field?: string;
  /** What to put in place of a value before it is looked at; undefined leaves it. */
  readonly replace?: (value: unknown) => { readonly value: unknown } | undefined;
}

let engine: TemplateEngine | undefined;

/**
 * Renders every text in a value; lists, sets and the values of objects are gone through, keys are not rendered. Of an instance of
 * a class that has `templateFields` these are rendered, in a copy. Anything else stays as it is. Throws a TemplateError that names field, template, line and what is undefined.
 */
export function renderTemplate(
  value: unknown,
  context: Readonly<Record<string, unknown>>,
  options: RenderOptions = {},
): unknown {
  const ancestors = new Set<object>();
  const render = (at: unknown): unknown => {
    const replaced = options.replace?.(at);
    if (replaced !== undefined) return replaced.value;
    if (typeof at === 'string') return renderText(at, context, options);
    if (isLiteral(at)) return literalValue(at);
    // What holds itself has no end, and stays as it is.
    if (typeof at !== 'object' || at === null || ancestors.has(at)) return at;
    ancestors.add(at);
    const rendered = renderInside(at, render);
    ancestors.delete(at);
    return rendered;
  };
  return render(value);
}

function renderInside(value: object, render: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(render);
  if (value instanceof Set) return new Set([...value].map(render));
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, render(item)]));
  if (isPlainObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, render(item)]));
  return hasFields(value) ? renderFields(value, render) : value;
}

interface WithFields {
  readonly templateFields: readonly string[];
}

export function hasFields(value: unknown): value is WithFields {
  if (typeof value !== 'object' || value === null || !('templateFields' in value)) return false;
  return Array.isArray(value.templateFields);
}

function renderFields(value: WithFields, render: (value: unknown) => unknown): object {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(value) as object) as object, value);
  for (const name of value.templateFields) {
    const field = (value as unknown as Readonly<Record<string, unknown>>)[name];
    if (field !== undefined) Object.assign(copy, { [name]: render(field) });
  }
  return copy;
}

const hasTags = (text: string): boolean => text.includes('{{') || text.includes('{%') || text.includes('{#');

function renderText(text: string, context: Readonly<Record<string, unknown>>, options: RenderOptions): unknown {
  const file = namesFile(text, options.extensions ?? []);
  const source = file ? readTemplate(text, options) : text;
  if (!hasTags(source)) return file ? source.replace(/\r?\n$/, '') : source;
  engine ??= new TemplateEngine();
  try {
    return engine.render(source, context, {
      native: options.native ?? false,
      searchPath: options.searchPath ?? [],
      name: file ? text : 'inline',
      ...(options.filters === undefined ? {} : { filters: options.filters }),
    });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw error.at({
      template: file ? text : shorten(text),
      ...(options.field === undefined ? {} : { field: options.field }),
    });
  }
}

export function namesFile(text: string, extensions: readonly string[]): boolean {
  return (
    !text.includes('\n') &&
    !hasTags(text) &&
    extensions.some((extension) => text.endsWith(extension) && text.length > extension.length)
  );
}

function readTemplate(name: string, { searchPath = [], field }: RenderOptions): string {
  const path = findFile(name, searchPath);
  if (path === undefined)
    throw new TemplateError(
      `template file '${name}' is in none of: ${searchPath.join(', ') || '(no folder given)'}`,
      field === undefined ? {} : { field },
    );
  return readFileSync(path, 'utf8');
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return `'${line.length > 80 ? `${line.slice(0, 77)}…` : line}'`;
}
