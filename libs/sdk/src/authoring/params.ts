import type { ParamDefinition } from '@rondo/domain';
import { err, ok, type Json, type JsonObject, type Result } from '@rondo/kernel';
import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import { jsonOf } from './json.ts';
import { show } from './error.ts';

type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'object' | 'null';

/** JSON schema of a param, with `default` and `description` beside it, and what a form that asks for it shows. */
export interface ParamOptions {
  readonly default?: Json;
  readonly description?: string;
  /** With `null` among them the param is optional: null is a value. */
  readonly type?: JsonType | readonly JsonType[];
  readonly enum?: readonly Json[];
  readonly const?: Json;
  /** `date`, `date-time` (RFC 3339) and `time` (`HH:MM:SS`) are checked, and the others that ajv-formats knows. */
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  /** For the form: a heading over the field, and over those that follow it. */
  readonly title?: string;
  readonly section?: string;
  /** For the form: values to choose from, others are allowed too. */
  readonly examples?: readonly Json[];
  /** For the form: what to show in the place of a value of `enum` or `examples`. */
  readonly values_display?: { readonly [value: string]: string };
  readonly [keyword: string]: Json | undefined;
}

/** One param that the run's conf, or its default, does not satisfy. */
export interface ParamFault {
  readonly param: string;
  /** Where in the value, `''` for the whole of it, else like `/rows/0`. */
  readonly at: string;
  /** Names the param, the value and what is allowed. */
  readonly message: string;
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

/** `checkDefaults`: false where every run is asked for, so that it may be asked for with other values. */
export function paramDefinitions(
  input: Readonly<Record<string, unknown>>,
  checkDefaults = true,
): Result<Readonly<Record<string, ParamDefinition>>> {
  const definitions: Record<string, ParamDefinition> = {};
  for (const [name, value] of Object.entries(input)) {
    if (value instanceof Param) definitions[name] = value.definition;
    else {
      const json = jsonOf(value);
      if (!json.ok) return err(`params.${name}: ${json.error}; allowed: a JSON value or param({ … })`);
      definitions[name] = { default: json.value, schema: {} };
    }
    const checked = checkDefinition(name, definitions[name]!, checkDefaults);
    if (!checked.ok) return checked;
  }
  return ok(definitions);
}

function checkDefinition(
  name: string,
  { default: fallback, schema }: ParamDefinition,
  checkDefault: boolean,
): Result<null> {
  const compiled = validator(schema);
  if (!compiled.ok) return err(`params.${name} has a schema that is none: ${compiled.error}`);
  if (!checkDefault || fallback === undefined || compiled.value(fallback)) return ok(null);
  return err(`params.${name} is ${show(fallback)} by default; allowed: ${reasons(compiled.value.errors)}`);
}

/** The values of a run: defaults, overridden by the run's conf, each checked; what else the conf holds comes along. */
export function resolveParams(
  definitions: Readonly<Record<string, ParamDefinition>>,
  conf: Json,
): Result<JsonObject, readonly ParamFault[]> {
  const given = typeof conf === 'object' && conf !== null && !Array.isArray(conf) ? (conf as JsonObject) : {};
  const values: Record<string, Json> = { ...given };
  const faults: ParamFault[] = [];
  for (const [name, { default: fallback, schema }] of Object.entries(definitions)) {
    const value = Object.hasOwn(given, name) ? given[name] : fallback;
    if (value === undefined) {
      const message = `param '${name}' has no default and the run's conf does not give it`;
      faults.push({ param: name, at: '', message });
      continue;
    }
    faults.push(...faultsOf(name, value, schema));
    values[name] = value;
  }
  return faults.length === 0 ? ok(values) : err(faults);
}

function faultsOf(name: string, value: Json, schema: JsonObject): ParamFault[] {
  const compiled = validator(schema);
  if (!compiled.ok)
    return [{ param: name, at: '', message: `param '${name}' has a schema that is none: ${compiled.error}` }];
  if (compiled.value(value)) return [];
  const byPlace = Map.groupBy(compiled.value.errors ?? [], (error) => error.instancePath);
  return Array.from(byPlace, ([at, errors]) => ({
    param: name,
    at,
    message: `param '${name}' is ${show(value)}; allowed: ${reasons(errors)}`,
  }));
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
  return addFormats(new Validator({ allErrors: true, strict: false, logger: false })).addFormat(
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
