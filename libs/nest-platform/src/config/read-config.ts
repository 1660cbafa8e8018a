import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse, YAMLParseError } from 'yaml';
import { helpText } from './help.ts';
import { variableOf, type ConfigOf, type Sections, type Setting } from './setting.ts';

export interface ConfigSource<S extends Sections> {
  readonly service: string;
  /** One line for the help. */
  readonly about: string;
  readonly sections: S;
  /** Sections of other services, for which a file that all services share may have settings. */
  readonly otherSections?: readonly string[];
  /** What is wrong with settings that are right one by one. */
  readonly check?: (config: ConfigOf<S>) => readonly string[];
}

export type ConfigResult<S extends Sections> =
  | { readonly kind: 'run'; readonly config: ConfigOf<S>; readonly secrets: readonly string[] }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'bad'; readonly problems: readonly string[] };

type Environment = Readonly<Record<string, string | undefined>>;

interface Given {
  readonly value: unknown;
  /** Where it was given. */
  readonly place: string;
}

const FLAGS = { config: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
/** Given, but it could not be read. */
const UNREADABLE = Symbol('unreadable');

/**
 * The environment (`RONDO_SECTION_KEY`; `RONDO_SECTION_KEY_FILE` names a file that holds a secret) wins over the file
 * (`--config`, or RONDO_CONFIG; YAML or JSON), the file over the defaults. Every problem is listed, with place, value and what
 * is allowed.
 */
export function readConfig<S extends Sections>(
  source: ConfigSource<S>,
  args: readonly string[],
  env: Environment,
): ConfigResult<S> {
  let flags: { readonly config?: string | undefined; readonly help?: boolean | undefined };
  try {
    flags = parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    return { kind: 'bad', problems: [messageOf(error)] };
  }
  if (flags.help === true) return { kind: 'help', text: helpText(source) };
  const path = flags.config ?? (env['RONDO_CONFIG'] || undefined);
  const problems: string[] = [];
  const file = path === undefined ? {} : readFile(path, problems);
  if (path !== undefined) problems.push(...unknownKeys(path, file, source));
  const secrets: string[] = [];
  const config: Record<string, Record<string, unknown>> = {};
  for (const [section, settings] of Object.entries(source.sections)) {
    const values: Record<string, unknown> = (config[section] = {});
    for (const [key, setting] of Object.entries(settings)) {
      const given = givenOf({ section, key, setting, env, path, file }, problems);
      if (given === UNREADABLE) continue;
      const parsed = setting.schema.safeParse(given?.value);
      if (!parsed.success) problems.push(problemOf(`${section}.${key}`, variableOf(section, key), setting, given));
      else values[key] = parsed.data;
      secrets.push(...secretsIn(setting, given?.value));
    }
  }
  if (problems.length === 0) problems.push(...(source.check?.(config as ConfigOf<S>) ?? []));
  if (problems.length > 0) return { kind: 'bad', problems };
  return { kind: 'run', config: config as ConfigOf<S>, secrets };
}

type Tree = Readonly<Record<string, unknown>>;

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function readFile(path: string, problems: string[]): Tree {
  try {
    const read: unknown = parse(readFileSync(path, 'utf8')) ?? {};
    if (isTree(read)) return read;
    problems.push(`${path}: sections of settings are allowed, as in 'kafka: {brokers: […]}'`);
  } catch (error) {
    // The parser's own words repeat the text, which may hold a secret.
    const at = error instanceof YAMLParseError ? error.linePos?.[0] : undefined;
    const why = error instanceof YAMLParseError ? `it is no YAML or JSON (${error.code})` : messageOf(error);
    problems.push(`${path}${at === undefined ? '' : `:${at.line}:${at.col}`}: ${why}`);
  }
  return {};
}

/** A misspelt name would otherwise mean the default, in silence. */
function unknownKeys(
  path: string,
  file: Tree,
  { sections, otherSections = [] }: Pick<ConfigSource<Sections>, 'sections' | 'otherSections'>,
): string[] {
  const problems: string[] = [];
  for (const [section, values] of Object.entries(file)) {
    const settings = Object.hasOwn(sections, section) ? sections[section] : undefined;
    if (settings === undefined) {
      if (otherSections.includes(section)) continue;
      problems.push(`${path}: ${section}: there is no such section; there are ${Object.keys(sections).join(', ')}`);
    } else if (!isTree(values ?? {})) problems.push(`${path}: ${section}: settings by name are allowed`);
    else
      for (const key of Object.keys(values ?? {}))
        if (!Object.hasOwn(settings, key))
          problems.push(
            `${path}: ${section}.${key}: there is no such setting; there are ${Object.keys(settings).join(', ')}`,
          );
  }
  return problems;
}

interface Lookup {
  readonly section: string;
  readonly key: string;
  readonly setting: Setting<unknown>;
  readonly env: Environment;
  readonly path: string | undefined;
  readonly file: Tree;
}

/** An empty variable is as good as none. */
function givenOf(
  { section, key, setting, env, path, file }: Lookup,
  problems: string[],
): Given | undefined | typeof UNREADABLE {
  const variable = variableOf(section, key);
  if (env[variable]) return { value: env[variable], place: variable };
  const named = setting.isSecret ? env[`${variable}_FILE`] : undefined;
  if (named) {
    try {
      return { value: readFileSync(named, 'utf8').trim(), place: `${variable}_FILE` };
    } catch (error) {
      problems.push(`${variable}_FILE ${JSON.stringify(named)}: ${messageOf(error)}`);
      return UNREADABLE;
    }
  }
  const values = Object.hasOwn(file, section) ? file[section] : undefined;
  const value = isTree(values) && Object.hasOwn(values, key) ? (values[key] ?? undefined) : undefined;
  return value === undefined ? undefined : { value, place: `${path}: ${section}.${key}` };
}

function problemOf(name: string, variable: string, setting: Setting<unknown>, given: Given | undefined): string {
  if (given === undefined) return `${name} (${variable}) is missing: ${setting.allowed} is wanted (${setting.help})`;
  const value = setting.isSecret ? '' : ` ${JSON.stringify(given.value)}`;
  return `${given.place}${value}: ${setting.allowed} is allowed`;
}

/** Texts that are to be in no log: the value, and a password in it. */
function secretsIn(setting: Setting<unknown>, value: unknown): string[] {
  if (!setting.isSecret || typeof value !== 'string' || value === '') return [];
  const password = /^[\w+.-]+:\/\/[^/@:]*:([^/@]+)@/.exec(value)?.[1];
  if (password === undefined) return [value];
  return [value, password, safeDecode(password)];
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
