import { Dag, param, resolveParams, type ParamOptions } from '@rondo/sdk';
import { Ajv } from 'ajv';
import {
  array,
  assert,
  boolean,
  constantFrom,
  dictionary,
  double,
  integer,
  oneof,
  option,
  property,
  record,
  string,
  tuple,
  type Arbitrary,
} from 'fast-check';
import { effort, seed } from './effort.ts';

const DATES = ['2026-02-28', '2026-02-30', '2026-2-1', '20260228', ''];
const TIMES = ['06:00:00', '24:00:00', '06:00', '06:00:00Z', '6:00:00'];
const MOMENTS = ['2026-02-28T06:00:00Z', '2026-02-28T06:00:00+01:00', '2026-02-28T06:00:00', '2026-02-28'];

const value = oneof(
  integer({ min: -3, max: 3 }),
  double({ noNaN: true, noDefaultInfinity: true, min: -2, max: 2 }).map((n) => (Object.is(n, -0) ? 0 : n)),
  boolean(),
  constantFrom(null, 'a', 'b', 'abc', ...DATES, ...TIMES, ...MOMENTS),
  array(integer({ min: 0, max: 2 }), { maxLength: 3 }),
) as Arbitrary<never>;

const schema = oneof(
  record({ type: constantFrom('string', 'integer', 'number', 'boolean', 'array', 'null') }),
  record({ type: constantFrom(['null', 'string'], ['null', 'integer']) }),
  record({
    type: constantFrom('integer'),
    minimum: integer({ min: -2, max: 2 }),
    maximum: integer({ min: -2, max: 2 }),
  }),
  record({ type: constantFrom('string'), format: constantFrom('date', 'time', 'date-time', 'unknown-format') }),
  record({
    enum: array(constantFrom('a', 'b', 1, null), { minLength: 1, maxLength: 3 }).map((all) => [...new Set(all)]),
  }),
  record({ const: constantFrom('a', 1, null) }),
  record({
    type: constantFrom('string'),
    examples: constantFrom(['x']),
    section: string(),
    values_display: constantFrom({ a: 'A' }),
  }),
) as Arbitrary<ParamOptions>;

/** What the three formats mean, said again without a library. */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  date: (text) => text === '2026-02-28',
  time: (text) => text === '06:00:00',
  'date-time': (text) => text === '2026-02-28T06:00:00Z' || text === '2026-02-28T06:00:00+01:00',
  'unknown-format': () => true,
};

function isValid(
  { default: _default, description: _description, ...given }: ParamOptions,
  candidate: unknown,
): boolean {
  const { format, ...rest } = given;
  if (!new Ajv({ strict: false, logger: false }).validate(rest, candidate)) return false;
  return format === undefined || typeof candidate !== 'string' || FORMATS[format]!(candidate);
}

const options = tuple(schema, option(value, { nil: undefined })).map(([keywords, fallback]) =>
  fallback === undefined ? keywords : { ...keywords, default: fallback },
);
const name = constantFrom('a', 'b', 'c', 'd');

describe(`params (RONDO_SEED=${seed})`, () => {
  it('are the defaults, overridden by the conf, each checked by its schema, with a fault for each that is not', () => {
    assert(
      property(dictionary(name, options, { maxKeys: 4 }), dictionary(name, value, { maxKeys: 3 }), (params, conf) => {
        const definitions = Object.fromEntries(Object.entries(params).map(([key, each]) => [key, param(each)]));
        const dag = new Dag({ id: 'd', params: definitions });
        const wrong = Object.entries(params).filter(([key, each]) => {
          const chosen = Object.hasOwn(conf, key) ? conf[key] : each.default;
          return chosen === undefined || !isValid(each, chosen);
        });
        const resolved = resolveParams(dag.params, conf);
        if (resolved.ok) {
          expect(wrong).toEqual([]);
          const defaults = Object.fromEntries(Object.entries(params).map(([key, each]) => [key, each.default]));
          expect(resolved.value).toEqual({ ...defaults, ...conf });
        } else expect(new Set(resolved.error.map((fault) => fault.param))).toEqual(new Set(wrong.map(([key]) => key)));
      }),
      { seed, numRuns: 300 * effort },
    );
  });

  it('of a DAG that is scheduled must be valid by default, and need not be for one that is asked for', () => {
    assert(
      property(options, (each) => {
        const make = (schedule: string | null) => () => new Dag({ id: 'd', schedule, params: { p: param(each) } });
        expect(make(null)).not.toThrow();
        if (each.default !== undefined && isValid(each, each.default)) expect(make('@daily')).not.toThrow();
        else expect(make('@daily')).toThrow('params.p');
      }),
      { seed, numRuns: 100 * effort },
    );
  });
});
