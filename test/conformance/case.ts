/** One case of a conformance file. What stands in `input` and `expected` depends on the group. */
export interface Case {
  readonly id: string;
  readonly group: string;
  readonly input: Fields;
  readonly expected: unknown;
}

export type Fields = Readonly<Record<string, unknown>>;

/** What the domain made of a case: equal to what is expected, part by part, for the case to pass. */
export interface Finding {
  readonly expected: unknown;
  readonly got: unknown;
}

/** Maps a case to the domain and answers with what to compare. */
export type GroupMapping = (c: Case) => Finding | Promise<Finding>;

/** A case that says something for which there is no function yet. It counts as failed. */
export class Inexpressible extends Error {}

export function fields(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Inexpressible(`${what} is ${JSON.stringify(value) ?? 'missing'}, not an object`);
}

export function list(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Inexpressible(`${what} is ${JSON.stringify(value) ?? 'missing'}, not a list`);
}

export function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new Inexpressible(`${what} is ${JSON.stringify(value) ?? 'missing'}, not text`);
}

export function number(value: unknown, missing: number): number {
  return typeof value === 'number' ? value : missing;
}

/** Compares the named parts of an expectation with what `parts` makes of each; a part that has no entry is inexpressible. */
export function byPart(expected: unknown, parts: Readonly<Record<string, (wanted: unknown) => unknown>>): Finding {
  const wanted = fields(expected, 'expected');
  const got: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(wanted)) {
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined;
    if (part === undefined) throw new Inexpressible(`expected.${name} has no counterpart in the domain`);
    got[name] = part(value);
  }
  return { expected: wanted, got };
}

/** The wanted text itself where the given one holds it, so that the two compare as equal. */
export function holding(given: string, wanted: unknown): unknown {
  return typeof wanted === 'string' && given.includes(wanted) ? wanted : given;
}
