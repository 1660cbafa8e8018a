import { z } from 'zod';

/** One setting: what it may be, from a file (its own type) or from the environment (a text). */
export interface Setting<T> {
  readonly help: string;
  /** What is allowed, for people. */
  readonly allowed: string;
  /** As the help shows it; undefined: none. */
  readonly shown: string | undefined;
  readonly isRequired: boolean;
  /** Its value, and the password in it when it is a URL, is in no message. */
  readonly isSecret: boolean;
  readonly schema: z.ZodType<T>;
}

export type Section = Readonly<Record<string, Setting<unknown>>>;
export type Sections = Readonly<Record<string, Section>>;

export type ConfigOf<S extends Sections> = {
  readonly [Name in keyof S]: { readonly [Key in keyof S[Name]]: S[Name][Key] extends Setting<infer T> ? T : never };
};

interface Choices<T> {
  /** Without one, and when it is not required, the setting may be undefined. */
  readonly default?: T;
  readonly required?: true;
  readonly secret?: true;
}

type Given<T, C> = C extends { readonly default: unknown } | { readonly required: true } ? T : T | undefined;

function make<T, C extends Choices<T>>(
  help: string,
  allowed: string,
  schema: z.ZodType<T>,
  choices: C,
  show: (value: T) => string = String,
): Setting<Given<T, C>> {
  const { default: preset, required = false, secret = false } = choices;
  return {
    help,
    allowed,
    shown: preset === undefined ? undefined : show(preset),
    isRequired: required,
    isSecret: secret,
    schema: (preset !== undefined || required ? schema : schema.optional()) as z.ZodType<Given<T, C>>,
    ...(preset === undefined ? {} : { schema: schema.default(preset as never) as unknown as z.ZodType<Given<T, C>> }),
  };
}

const trimmed = z.string().trim().min(1);

/** A text, of the given form where there is one. */
export function text<C extends Choices<string> & { readonly form?: readonly [RegExp, string] }>(
  help: string,
  choices: C,
): Setting<Given<string, C>> {
  const [pattern, allowed] = choices.form ?? [undefined, 'a text'];
  return make(help, allowed, pattern === undefined ? trimmed : trimmed.regex(pattern), choices);
}

/** A whole number from `least` to `most`. */
export function whole<C extends Choices<number>>(
  help: string,
  least: number,
  most: number,
  choices: C,
): Setting<Given<number, C>> {
  const number = z.union([z.number(), trimmed.regex(/^-?\d+$/).transform(Number)]);
  const schema = number.pipe(z.number().int().min(least).max(most));
  return make(help, `a whole number from ${least} to ${most}`, schema as z.ZodType<number>, choices);
}

/** Yes or no. */
export function flag<C extends Choices<boolean>>(help: string, choices: C): Setting<Given<boolean, C>> {
  const word = z.enum(['yes', 'no', 'true', 'false']).transform((given) => given === 'yes' || given === 'true');
  const schema = z.union([z.boolean(), word]) as z.ZodType<boolean>;
  return make(help, 'yes or no', schema, choices, (value) => (value ? 'yes' : 'no'));
}

/** One of some words. */
export function choice<const W extends readonly string[], C extends Choices<W[number]>>(
  help: string,
  words: W,
  choices: C,
): Setting<Given<W[number], C>> {
  return make(help, `one of ${words.join(', ')}`, z.enum(words) as unknown as z.ZodType<W[number]>, choices);
}

/** Texts, in a file as a list, in the environment separated by commas. */
export function list<C extends Choices<readonly string[]> & { readonly form?: readonly [RegExp, string] }>(
  help: string,
  choices: C,
): Setting<Given<readonly string[], C>> {
  const [pattern, allowed] = choices.form ?? [/./, 'texts'];
  const split = z.string().transform((given) => given.split(',').map((part) => part.trim()));
  const schema = z.union([z.array(z.string()), split]).pipe(z.array(z.string().regex(pattern)).min(1));
  const shown = (value: readonly string[]): string => value.join(',');
  return make(
    help,
    `${allowed}, separated by commas`,
    schema as unknown as z.ZodType<readonly string[]>,
    choices,
    shown,
  );
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where to listen. */
export function address<C extends Choices<string>>(help: string, choices: C): Setting<Given<Address, C>> {
  const { default: preset, ...rest } = choices;
  const schema = trimmed.regex(/^(\[[\da-fA-F:]+\]|[^\s:]+):\d{1,5}$/).transform((given) => {
    const at = given.lastIndexOf(':');
    return { host: given.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(given.slice(at + 1)) };
  });
  const setting = make(
    help,
    'HOST:PORT; port 0: any free one',
    schema as unknown as z.ZodType<Address>,
    rest as object,
  );
  if (preset === undefined) return setting as unknown as Setting<Given<Address, C>>;
  const withDefault = schema.default(schema.parse(preset));
  return { ...setting, shown: preset, schema: withDefault as unknown as z.ZodType<Given<Address, C>> };
}

/** `RONDO_KAFKA_SESSION_TIMEOUT` of `kafka.sessionTimeout`. */
export function variableOf(section: string, key: string): string {
  const word = (name: string): string => name.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').toUpperCase();
  return `RONDO_${word(section)}_${word(key)}`;
}
