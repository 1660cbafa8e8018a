import { z } from 'zod';
import { invalid, type Fault } from './problem.ts';

/** Names of fields whose values are never repeated in an answer. */
const SECRET_FIELDS = /^(value|password|extra|conf)$/;

/** The value as the schema wants it. Throws a problem that names each parameter, its value and what is allowed. */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  where: Fault['in'],
  given: unknown,
): z.output<Schema> {
  const input =
    where === 'body' || !(schema instanceof z.ZodObject)
      ? given
      : typed(schema, given as Readonly<Record<string, unknown>>);
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.flatMap((issue) => faultsOf(issue, where, input, schema)));
}

/** Parameters come as text: numbers, truth values and lists (repeated, or with commas) are told by the schema. */
function typed(schema: z.ZodObject, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shape: Readonly<Record<string, unknown>> = schema.shape;
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, name in shape ? typedValue(bare(shape[name]), value) : value]),
  );
}

function bare(schema: unknown): unknown {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? bare(schema.unwrap()) : schema;
}

function typedValue(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodArray)
    return (Array.isArray(value) ? value : [value]).flatMap((item) =>
      typeof item === 'string' ? item.split(',') : item,
    );
  if (typeof value !== 'string') return value;
  if (schema instanceof z.ZodNumber) return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  if (schema instanceof z.ZodBoolean) return value === 'true' ? true : value === 'false' ? false : value;
  return value;
}

function faultsOf(issue: z.core.$ZodIssue, where: Fault['in'], input: unknown, schema: z.ZodType): Fault[] {
  if (issue.code === 'unrecognized_keys') {
    const known = schema instanceof z.ZodObject && issue.path.length === 0 ? Object.keys(schema.shape) : [];
    const allowed = known.length === 0 ? {} : { allowed: known.join(', ') };
    return issue.keys.map((key) => ({
      in: where,
      name: [...issue.path, key].join('.'),
      message: 'is not known here',
      ...allowed,
    }));
  }
  const name = issue.path.join('.');
  const value = issue.path.reduce<unknown>(
    (at, key) => (at as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key],
    input,
  );
  const allowed = allowedBy(issue);
  const secret = where === 'body' && issue.path.some((part) => SECRET_FIELDS.test(String(part)));
  const shown =
    secret || value === undefined || typeof value === 'object'
      ? {}
      : { value: typeof value === 'string' ? value.slice(0, 200) : value };
  const said =
    'value' in shown
      ? `${JSON.stringify(shown.value)} is not allowed`
      : value === undefined
        ? 'is missing'
        : 'is not allowed';
  const message = `${said}: ${allowed ?? issue.message}`;
  return [
    {
      in: where,
      name: name === '' ? '(body)' : name,
      ...shown,
      message,
      ...(allowed === undefined ? {} : { allowed }),
    },
  ];
}

function allowedBy(issue: z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'too_big':
      return `at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'too_small':
      return `at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'invalid_type':
      return `a value of type ${issue.expected}`;
    case 'invalid_format':
      return issue.format === 'regex' ? issue.message : `text of format ${issue.format}`;
    default:
      return issue.message;
  }
}

const unitOf = (origin: string): string => (origin === 'string' ? ' characters' : origin === 'array' ? ' items' : '');
