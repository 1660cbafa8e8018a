import type { ParamDefinition } from '@rondo/domain';
import { err, ok, type Json, type JsonObject, type Result } from '@rondo/kernel';
import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import { jsonOf } from './json.ts';
import { show } from './error.ts';

/** JSON schema of a param, with `default` and `description` beside it. */
export interface ParamOptions {
  readonly default?: Json;
  readonly description?: string;
  readonly [keyword: string]: Json | undefined;
}

/** A value that a run may be given, checked by JSON schema. Without a default a run must give it. */
export class Param {
  readonly definition: ParamDefinition;

  constructor({ default: fallback, description, ...schema }: ParamOptions = {}) {
    this.definition = {
      ...(fallback === undefined ? {} : { default: fallback }),
      schema: schema as JsonObject,
      ...(description === undefined ? {} : { description }),
    };
  }
}

/** `param(10, { type: 'integer', minimum: 1 })`; without a default: `param({ type: 'string' })`. */
export function param(schema: ParamOptions): Param;
export function param(fallback: Json, schema: ParamOptions): Param;
export function param(first: unknown, schema?: ParamOptions): Param {
  return new Param(schema === undefined ? (first as ParamOptions) : { ...schema, default: first as Json });
}

/** A param, or just its default: any value will do then. */
export type ParamsInput = Readonly<Record<string, Param | Json>>;

export function paramDefinitions(
  input: Readonly<Record<string, unknown>>,
): Result<Readonly<Record<string, ParamDefinition>>> {
  const definitions: Record<string, ParamDefinition> = {};
  for (const [name, value] of Object.entries(input)) {
    if (value instanceof Param) definitions[name] = value.definition;
    else {
      const json = jsonOf(value);
      if (!json.ok) return err(`params.${name}: ${json.error}; allowed: a JSON value or param({ … })`);
      definitions[name] = { default: json.value, schema: {} };
    }
    const checked = checkDefault(name, definitions[name]!);
    if (!checked.ok) return checked;
  }
  return ok(definitions);
}

function checkDefault(name: string, { default: fallback, schema }: ParamDefinition): Result<null> {
  const compiled = validator(schema);
  if (!compiled.ok) return err(`params.${name} has a schema that is none: ${compiled.error}`);
  if (fallback === undefined || compiled.value(fallback)) return ok(null);
  return err(`params.${name} is ${show(fallback)} by default; allowed: ${reasons(compiled.value.errors)}`);
}

/** The values of a run: defaults, overridden by the run's conf, each checked; what else the conf holds comes along. */
export function resolveParams(definitions: Readonly<Record<string, ParamDefinition>>, conf: Json): Result<JsonObject> {
  const given = typeof conf === 'object' && conf !== null && !Array.isArray(conf) ? (conf as JsonObject) : {};
  const values: Record<string, Json> = { ...given };
  for (const [name, { default: fallback, schema }] of Object.entries(definitions)) {
    const value = Object.hasOwn(given, name) ? given[name] : fallback;
    if (value === undefined) return err(`param '${name}' has no default and the run's conf does not give it`);
    const compiled = validator(schema);
    if (!compiled.ok) return err(`param '${name}' has a schema that is none: ${compiled.error}`);
    if (!compiled.value(value))
      return err(`param '${name}' is ${show(value)}; allowed: ${reasons(compiled.value.errors)}`);
    values[name] = value;
  }
  return ok(values);
}

const require = createRequire(import.meta.url);
const compiled = new Map<string, Result<ValidateFunction>>();
let ajv: Ajv | undefined;

function validator(schema: JsonObject): Result<ValidateFunction> {
  const key = JSON.stringify(schema);
  let known = compiled.get(key);
  if (known === undefined) {
    try {
      ajv ??= createAjv();
      known = ok(ajv.compile(schema));
    } catch (error) {
      known = err(error instanceof Error ? error.message : String(error));
    }
    compiled.set(key, known);
  }
  return known;
}

/** Loaded on first use: most DAGs have no params. */
function createAjv(): Ajv {
  const { Ajv: Validator } = require('ajv') as typeof import('ajv');
  const { default: addFormats } = require('ajv-formats') as { default: (ajv: Ajv) => Ajv };
  return addFormats(new Validator({ allErrors: true, strict: false })).addFormat(
    'time',
    /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/,
  );
}

function reasons(errors: readonly ErrorObject[] | null | undefined): string {
  return (errors ?? [])
    .map(({ instancePath, message = 'a valid value', params }) => {
      const values = (params as { readonly allowedValues?: readonly unknown[] }).allowedValues;
      return `${instancePath === '' ? '' : `${instancePath} `}${message}${values === undefined ? '' : ` (${values.map(show).join(', ')})`}`;
    })
    .join(', ');
}
