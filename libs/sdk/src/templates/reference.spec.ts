import { decodeValue } from '../xcoms/index.ts';
import { callable, literal, macros, registerMacros, renderTemplate, templateContext } from './index.ts';
import { literalEval } from './literal-eval.ts';
import { PendingLookup } from './errors.ts';

const context = templateContext({ dagId: 'd', taskId: 't', runId: 'r', logicalDate: '2024-12-01T01:00:00Z' });
const render = (template: unknown, more: object = {}, options: object = {}): unknown =>
  renderTemplate(template, { ...context, ...more }, options);

describe('native rendering', () => {
  it.each([
    ['{{ foo }}', { foo: ['a', 'b'] }, ['a', 'b']],
    ['{{ foo | length }}', { foo: ['a', 'b'] }, 2],
    ['{{ foo }}_1', { foo: 'bar' }, 'bar_1'],
    ['{{ foo }}', { foo: '12' }, 12],
    ['{{ foo }}{{ foo }}', { foo: 1 }, 11],
    ['[{{ foo }}, "x", None]', { foo: 1 }, [1, 'x', null]],
    ["{'a': {{ foo }}, 'b': (1, 2)}", { foo: true }, { a: true, b: [1, 2] }],
    ['{{ foo }} text', { foo: 1 }, '1 text'],
    ['{{ ds }}', {}, '2024-12-01'],
  ])('%s', (template, more, expected) => {
    expect(render(template, more, { native: true })).toEqual(expected);
  });

  it.each([
    ['-1.5e3', -1500],
    ['1_000', 1000],
    ['0x1f', 31],
    ['12345678901234567890', 12345678901234567890n],
    ['\'a\' "b\\n"', 'ab\n'],
    ['{1, 2}', new Set([1, 2])],
    ['set()', new Set()],
    ['()', []],
    ['(1)', 1],
    ['(1,)', [1]],
    ['1, 2', [1, 2]],
    ['[1, [2, {}],]', [1, [2, {}]]],
    ['True ', true],
  ])('%s is a literal of Python', (text, value) => {
    expect(literalEval(text)).toEqual({ value });
  });

  it.each(['007', '2024-01-01', '1 - 2', ' 1', 'true', 'foo', '[1', "'a", '1x', '{1: }', 'f()', '', '{[1]: 2}'])(
    '%p is none',
    (text) => {
      expect(literalEval(text)).toBeUndefined();
    },
  );
});

describe('values that are rendered', () => {
  it('are texts at any depth, without the keys, and nothing that is literal', () => {
    const shared = { 'key_{{ ds }}': ['{{ ds }}', new Set(['{{ ds }}'])], raw: literal({ x: '{{ ds }}' }) };
    expect(render([shared, new Map([['{{ ds }}', '{{ ds }}']]), 1, null])).toEqual([
      { 'key_{{ ds }}': ['2024-12-01', new Set(['2024-12-01'])], raw: { x: '{{ ds }}' } },
      new Map([['{{ ds }}', '2024-12-01']]),
      1,
      null,
    ]);
  });

  it('are the fields that a class names, in a copy', () => {
    class Query {
      readonly templateFields = ['sql', 'inner'];
      readonly sql = 'of {{ ds }}';
      readonly name = '{{ ds }}';
      readonly inner = { sql: '{{ ds }}' };
      readonly missing = undefined;
    }
    const query = new Query();
    const rendered = render(query) as Query;
    expect(rendered).toBeInstanceOf(Query);
    expect([rendered.sql, rendered.name, rendered.inner.sql]).toEqual(['of 2024-12-01', '{{ ds }}', '2024-12-01']);
    expect(query.sql).toBe('of {{ ds }}');
  });

  it('may hold themselves', () => {
    const circle: Record<string, unknown> = { text: '{{ ds }}' };
    circle['me'] = circle;
    expect(render(circle)).toMatchObject({ text: '2024-12-01' });
  });

  it('lose one line break at the end, and no more', () => {
    expect(render('{{ ds }}\n\n')).toBe('2024-12-01\n');
  });
});

describe('names', () => {
  const KEYS =
    'conn dag dag_run data_interval_start data_interval_end ds ds_nodash expanded_ti_count inlets inlet_events logical_date macros map_index_template outlets outlet_events params prev_data_interval_start_success prev_data_interval_end_success prev_start_date_success prev_end_date_success run_id start_date task task_instance task_instance_key_str task_reschedule_count templates_dict test_mode ti triggering_asset_events try_number ts ts_nodash ts_nodash_with_tz var'.split(
      ' ',
    );
  const OF_A_DATE = /^(ds|ts|logical_date|data_interval|prev_data_interval)(_nodash|_with_tz|_start|_end|_success)*$/;

  it('are all there', () => {
    expect(KEYS.filter((key) => !(key in context))).toEqual([]);
  });

  it('that are made of the logical date are not there without one', () => {
    const undated = templateContext({ dagId: 'd', taskId: 't', runId: 'r', logicalDate: null });
    expect(KEYS.filter((key) => !(key in undated)).toSorted()).toEqual(
      KEYS.filter((key) => OF_A_DATE.test(key)).toSorted(),
    );
    expect(() => renderTemplate('{{ prev_data_interval_start_success }}', undated)).toThrow(
      "'prev_data_interval_start_success' is undefined (the run has no logical date)",
    );
    expect(renderTemplate('{{ task_instance_key_str }}', undated)).toBe('d__t__r');
  });

  it('of the last success are looked up when they are asked for, and None without one', () => {
    let asked = 0;
    const of = (answer: object | undefined) =>
      templateContext({
        ...{ dagId: 'd', runId: 'r', logicalDate: 0 },
        previousSuccess: () => {
          asked++;
          return answer as never;
        },
      });
    const success = { dataInterval: [0, 86_400_000], startedAt: 1_000, endedAt: 2_000 };
    expect(renderTemplate('{{ ds }}', of(success))).toBe('1970-01-01');
    expect(asked).toBe(0);
    const all =
      '{{ prev_data_interval_start_success | ds }} {{ prev_data_interval_end_success | ds }} {{ prev_start_date_success.second }} {{ prev_end_date_success.second }}';
    expect(renderTemplate(all, of(success))).toBe('1970-01-01 1970-01-02 1 2');
    expect(renderTemplate('{{ prev_start_date_success is none }}', of(undefined))).toBe('True');
  });

  it('of a connection have its URI and its parts', () => {
    const conn = { connId: 'c', connType: 'http', host: 'h', login: 'l', password: 'p@', extra: { a: { b: 1 } } };
    const withConn = templateContext({ dagId: 'd', runId: 'r', connection: () => conn });
    expect(renderTemplate('{{ conn.c.host }} {{ conn.get("c").extra_dejson.a.b }}', withConn)).toBe('h 1');
    expect(renderTemplate('{{ conn.c.get_uri() }}', withConn)).toContain('http://l:p%40@h?__extra__=');
  });

  it('that must be fetched say so', () => {
    const pending = templateContext({
      ...{ dagId: 'd', runId: 'r', logicalDate: 0 },
      previousSuccess: () => {
        throw new PendingLookup('the last success', async () => undefined);
      },
    });
    expect(() => renderTemplate('{{ prev_start_date_success }}', pending)).toThrow(PendingLookup);
  });
});

describe('filters and macros of the user', () => {
  it('come before those that there are', () => {
    const filters = {
      shout: (text: unknown, mark: unknown = '!') => `${String(text)}${String(mark)}`,
      upper: () => 'mine',
    };
    expect(render("{{ 'a' | shout }} {{ 'a' | shout('?') }} {{ 'a' | upper }}", {}, { filters })).toBe('a! a? mine');
    expect(render("{{ 'a' | upper }}")).toBe('A');
    expect(render("{{ ['a'] | map('shout') | first }}", {}, { filters })).toBe('a!');
  });

  it('take keyword arguments as an object at the end', () => {
    const tools = callable({ join: (a: unknown, more: unknown) => `${String(a)}${JSON.stringify(more ?? null)}` });
    expect(render("{{ tools.join('x', sep='-') }} {{ tools.join('x') }}", { tools })).toBe('x{"sep":"-"} xnull');
  });

  it('that are async are refused', () => {
    expect(() => render('{{ later() }}', { later: async () => 1 })).toThrow(
      "'later' answers a promise, and a template cannot wait",
    );
  });

  it('are registered for all DAG files that import them', () => {
    registerMacros('acme', { double: (n: unknown) => Number(n) * 2, rate: 7 });
    expect(render('{{ macros.acme.double(macros.acme.rate) }}')).toBe('14');
    expect(() => registerMacros('ds_add', {})).toThrow("the name of macros is 'ds_add'; allowed: a name that none");
  });
});

describe('macros', () => {
  it.each([
    ["{{ macros.ds_format_locale('2015-01-02', '%Y-%m-%d', 'MM-dd-yy') }}", '01-02-15'],
    ["{{ macros.ds_format_locale('1/5/2015', '%m/%d/%Y', 'yyyy-MM-dd') }}", '2015-01-05'],
    ["{{ macros.ds_format_locale('12/07/2024', '%d/%m/%Y', 'EEEE dd MMMM yyyy', 'en_US') }}", 'Friday 12 July 2024'],
    [
      "{{ macros.ds_format_locale('2015-01-02', '%Y-%m-%d', \"EEE, d. MMM y 'um' HH 'Uhr'\", 'de_DE') }}",
      'Fr, 2. Jan. 2015 um 00 Uhr',
    ],
    ["{{ macros.yaml.safe_load('a: [1, x]').a | last }}", 'x'],
    ["{{ macros.yaml.dump({'b': 1, 'a': [1]}) }}", 'a:\n  - 1\nb: 1\n'],
    ["{{ macros.json.dumps({'b': 1, 'a': 'ü'}, sort_keys=True) }}", '{"a": "\\u00fc", "b": 1}'],
    ["{{ macros.json.loads('[1]')[0] }}", '1'],
    ["{{ macros.uuid.uuid5(macros.uuid.NAMESPACE_DNS, 'python.org') }}", '886313e1-3b8a-5372-9b90-0c9aee199e5d'],
    ["{{ macros.uuid.uuid3(macros.uuid.NAMESPACE_DNS, 'python.org') }}", '6fa459ea-ee8a-3ca4-894e-db77e160355e'],
    ["{{ macros.dateutil.parser.parse('2024-01-02').day }}", '2'],
    ['{{ (logical_date + macros.timedelta(days=1)) | ds }}', '2024-12-02'],
    ['{{ macros.time.time() > 0 and macros.random() < 1 }}', 'True'],
  ])('%s', (template, expected) => {
    // The one line break that a template drops stands in its text, not in what it prints.
    expect(render(template)).toBe(expected);
  });

  it('name a field of a date or a locale that is none', () => {
    expect(() => render("{{ macros.ds_format_locale(ds, '%Y-%m-%d', 'q') }}")).toThrow("'q' is not a field of a date");
    expect(() => render("{{ macros.ds_format_locale(ds, '%Y-%m-%d', 'd', 'no locale') }}")).toThrow('is no locale');
  });

  it('are named in the object that templates use', () => {
    const NAMES =
      'datetime timedelta dateutil time uuid random json yaml ds_add ds_format ds_format_locale datetime_diff_for_humans';
    expect(NAMES.split(' ').filter((name) => !(name in macros))).toEqual([]);
  });
});

describe('values that JSON lacks', () => {
  const value = {
    at: new Date(0),
    id: 2n ** 64n,
    tags: new Set(['a']),
    rows: new Map([['k', 1]]),
    bytes: decodeValue({ $type: 'bytes', $value: 'aGk=' }),
  };

  it.each([
    ['{{ v.at }}', '1970-01-01 00:00:00+00:00'],
    ['{{ v.at | ds }}', '1970-01-01'],
    ['{{ v.id }} {{ v.id + 1 }} {{ v.id > 5 }}', '18446744073709551616 18446744073709551617 True'],
    ["{{ 'a' in v.tags }} {{ v.tags }}", "True {'a'}"],
    ["{{ v.rows.k }} {{ v.rows['k'] }} {{ v.rows }}", "1 1 {'k': 1}"],
    ['{{ v.bytes }}', "b'hi'"],
    [
      '{{ {"n": v.id, "at": v.at, "tags": v.tags, "rows": v.rows} | tojson }}',
      '{"at": "1970-01-01T00:00:00+00:00", "n": 18446744073709551616, "rows": {"k": 1}, "tags": ["a"]}',
    ],
    ['{{ "<a & \'b\'>" | tojson }}', '"\\u003ca \\u0026 \\u0027b\\u0027\\u003e"'],
  ])('%s', (template, expected) => {
    expect(render(template, { v: value })).toBe(expected);
  });
});
