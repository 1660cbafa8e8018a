import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DateTime,
  datetimeDiffForHumans,
  dsAdd,
  dsFormat,
  renderTemplate,
  templateContext,
  TemplateError,
} from './index.ts';

const run = { dagId: 'basic_task', taskId: 'hello', runId: 'test_run', logicalDate: '2024-12-01T01:00:00Z' } as const;
const render = (template: unknown, context: Record<string, unknown> = {}): unknown => renderTemplate(template, context);
const refusal = (template: unknown, context: Record<string, unknown> = {}): string => {
  try {
    renderTemplate(template, context, { field: 'command' });
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw error;
  }
  throw new Error('rendered without an error');
};

describe('what is rendered', () => {
  it('renders texts, lists and the values of objects, and leaves keys and all else', () => {
    const when = new Date(0);
    expect(render('{{ foo }}', { foo: 'bar' })).toBe('bar');
    expect(render(['{{ foo }}_1', '{{ foo }}_2'], { foo: 'bar' })).toEqual(['bar_1', 'bar_2']);
    expect(render({ 'key_{{ foo }}_1': 1, key_2: ['{{ foo }}_2'] }, { foo: 'bar' })).toEqual({
      'key_{{ foo }}_1': 1,
      key_2: ['bar_2'],
    });
    expect(render([null, 1, true, when, new Set(['{{ foo }}'])], { foo: 'bar' })).toEqual([
      null,
      1,
      true,
      when,
      new Set(['bar']),
    ]);
  });

  it('gives the value of a lone expression in native mode only', () => {
    const context = { foo: ['bar1', 'bar2'], n: 3 };
    expect(renderTemplate('{{ foo }}', context, { native: true })).toEqual(['bar1', 'bar2']);
    expect(renderTemplate('{{ n }} of {{ foo | length }}', context, { native: true })).toBe('3 of 2');
    expect(renderTemplate('{{ foo }}', context)).toBe("['bar1', 'bar2']");
  });

  it('drops one trailing newline', () => {
    expect(render('{{ foo }}\n', { foo: 'bar' })).toBe('bar');
    expect(render('{{ foo }}\n\n', { foo: 'bar' })).toBe('bar\n');
  });
});

describe('the context of a run', () => {
  it('has the names made from the logical date', () => {
    const template = [
      '{{ ds }}',
      '{{ ds_nodash }}',
      '{{ ts }}',
      '{{ ts_nodash }}',
      '{{ ts_nodash_with_tz }}',
      '{{ task_instance_key_str }}',
      '{{ run_id }}',
    ];
    expect(renderTemplate(template, templateContext(run))).toEqual([
      '2024-12-01',
      '20241201',
      '2024-12-01T01:00:00+00:00',
      '20241201T010000',
      '20241201T010000+0000',
      'basic_task__hello__20241201',
      'test_run',
    ]);
  });

  it('lacks them where the run has none', () => {
    const context = templateContext({ ...run, logicalDate: null });
    expect(Object.keys(context)).not.toContain('ds');
    expect(refusal('echo {{ ds }}', context)).toBe(
      "field command, template 'echo {{ ds }}', line 1: 'ds' is undefined (the run has no logical date)",
    );
    expect(renderTemplate('{{ task_instance_key_str }}', context)).toBe('basic_task__hello__test_run');
  });

  it('reaches conf, params, variables, connections and XComs', () => {
    const context = templateContext({
      ...run,
      conf: { x: 1, nested: { y: 'z' } },
      params: { limit: 10 },
      mapIndex: [3],
      variable: (key) => ({ plain: 'text', json: '{"a":{"b":2}}' })[key],
      connection: (connId) =>
        connId === 'db' ? { connId, connType: 'sqlite', host: 'h', extra: { timeout: 5 } } : undefined,
      xcom: ({ taskId, key, mapIndex }) => (taskId === 'up' ? { value: `${key}@${mapIndex ?? '-'}` } : undefined),
    });
    const each = {
      "{{ dag_run.conf.get('x') }}": '1',
      "{{ dag_run.conf['nested'].y }}": 'z',
      "{{ dag_run.conf.get('none', 'fallback') }}": 'fallback',
      '{{ params.limit }}': '10',
      '{{ var.value.plain }} {{ var.json.json.a.b }} {{ var.value.get("none", "n") }}': 'text 2 n',
      '{{ conn.db.host }} {{ conn.db.extra_dejson.timeout }} {{ conn.db.password }}': 'h 5 None',
      "{{ ti.xcom_pull(task_ids='up') }} {{ ti.xcom_pull('up', key='k', map_indexes=2) }}": 'return_value@- k@2',
      "{{ ti.xcom_pull(task_ids=['up', 'down']) }}": "['return_value@-', None]",
      '{{ ti.map_index }} {{ ti.try_number }} {{ task.task_id }} {{ dag.dag_id }}': '3 1 hello basic_task',
      '{{ logical_date }} {{ (logical_date + macros.timedelta(days=1)) | ds }} {{ data_interval_end.strftime("%d.%m.%Y") }}':
        '2024-12-01 01:00:00+00:00 2024-12-02 01.12.2024',
      '{{ logical_date.subtract(months=1).to_date_string() }} {{ logical_date.in_timezone("America/New_York") }}':
        '2024-11-01 2024-11-30 20:00:00-05:00',
      '{{ (logical_date - macros.datetime(2024, 11, 30)).total_seconds() | int }}': '90000',
    };
    expect(renderTemplate(Object.keys(each), context)).toEqual(Object.values(each));
    expect(refusal('{{ conn.none.host }}', context)).toContain("'conn.none' is undefined");
    expect(refusal('{{ var.value.none }}', context)).toContain("'var.value.none' is undefined");
  });
});

describe('undefined names', () => {
  it('are refused with field, template, line and name', () => {
    expect(refusal('one\ntwo {{ nothing }}')).toBe(
      "field command, template 'one two {{ nothing }}', line 2: 'nothing' is undefined",
    );
    expect(refusal('{{ a.b.c }}', { a: {} })).toContain("'a.b' is undefined");
    expect(refusal('{{ a.c[2] }}', { a: { b: null, c: [] } })).toContain("'a.c[2]' is undefined: the list has 0 items");
    expect(render('{{ a.b }}', { a: { b: null } })).toBe('None');
  });

  it.each([
    '{{ x | upper }}',
    '{{ x + 1 }}',
    '{% if x %}{% endif %}',
    '{% for a in x %}{% endfor %}',
    '{{ x() }}',
    '{{ f(x) }}',
    '{{ not x }}',
    '{{ x ~ "" }}',
    '{{ x == 1 }}',
    '{{ x in [1] }}',
    '{{ x.y }}',
  ])('%s', (template) => {
    expect(refusal(template, { f: (v: unknown) => v })).toContain("'x' is undefined");
  });

  it('may be asked about', () => {
    expect(
      render(
        '{{ x is defined }} {{ x is not defined }} {{ x | default("d") }} {{ a.b | default(1) }} {{ a is defined and a.b is undefined }}',
        { a: {} },
      ),
    ).toBe('False True d 1 True');
  });

  it('say where a template is broken', () => {
    expect(refusal('{{ foo')).toBe("field command, template '{{ foo': expected variable end");
    expect(refusal('a\n{% nope %}')).toMatch(/line 2: unknown block tag: nope/);
    expect(refusal('{{ 1 | nope }}')).toContain("there is no filter 'nope'");
  });
});

describe("Python's values", () => {
  it.each([
    ['{{ True }} {{ False }} {{ None }} {{ true }} {{ none }}', 'True False None True None'],
    ["{{ [1, 'a', None] }} {{ {'k': true} }}", "[1, 'a', None] {'k': True}"],
    ["{{ 'a' ~ 1 ~ none }}", 'a1None'],
    [
      '{{ 7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 10 - 2 - 3 }} {{ 2 * 7 // 2 }} {{ 1 + 2 * 3 }}',
      '3 1 2 1024 5 7 7',
    ],
    ["{{ '%s-%03d' % ('a', 7) }} {{ '{:>5}|{:.2f}|{n}'.format('x', 1.5, n=3) }}", 'a-007     x|1.50|3'],
    [
      "{{ 'a,b'.split(',')[1] }} {{ 'Hello'.upper() }} {{ ' x '.strip() }} {{ 'abc'.replace('b', '-') }} {{ '-'.join(['a', 'b']) }}",
      'b HELLO x a-c a-b',
    ],
    [
      "{{ 'abcdef'[1:3] }} {{ 'abc'[::-1] }} {{ [1, 2, 3][-1] }} {{ [1, 2, 3][:2] }} {{ 'abc'[-2:] }}",
      'bc cba 3 [1, 2] bc',
    ],
    [
      "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }}{% if not loop.last %},{% endif %}{% endfor %}",
      'a=1,b=2',
    ],
    ["{% for k in {'a': 1} %}{{ k }}{% endfor %}{% for x in [] %}{% else %}none{% endfor %}", 'anone'],
    ["{% if [] or {} or '' or 0 %}yes{% else %}no{% endif %} {{ [] or 'fallback' }} {{ 1 and 2 }}", 'no fallback 2'],
    ['{% set xs = [] %}{% do xs.append(1) %}{% do xs.extend([2]) %}{{ xs }}', '[1, 2]'],
    [
      '{{ none is none }} {{ 1 is not none }} {{ "a" is string }} {{ 3 is odd }} {{ 4 is divisibleby(2) }}',
      'True True True True True',
    ],
    ["{{ [1, 2] == [1, 2] }} {{ 'a' in 'cat' }} {{ 2 not in [1] }} {{ 'a' < 'b' }}", 'True True True True'],
    ["{{ 'yes' if [1] else 'no' }}{{ 'x' if false }}", 'yes'],
    [
      "{{ [{'n': 'a'}, {'n': 'b'}] | map(attribute='n') | join('+') }} {{ [3, 1] | sort }} {{ [1, 1] | unique | list }} {{ [1, 2] | sum }}",
      'a+b [1, 3] [1] 3',
    ],
    [
      "{{ {'a': [1]} | tojson }} {{ 'a b' | urlencode }} {{ 3.7 | int }} {{ ['a', ''] | select | list }}",
      '{"a": [1]} a%20b 3 [\'a\']',
    ],
    ["{{ [{'s': 'ok'}, {'s': 'no'}] | selectattr('s', 'equalto', 'ok') | list | length }}", '1'],
    [
      '{% macro greet(name) %}hi {{ name }}{% endmacro %}{{ greet("you") }}{# unseen #}{%- if true -%} x {%- endif -%}',
      'hi youx',
    ],
    ['{% raw %}{{ x }}{% endraw %}', '{{ x }}'],
    ['{{ dict(a=1).a }} {{ range(3) | list }}', '1 [0, 1, 2]'],
  ])('%s', (template, expected) => {
    expect(render(template)).toBe(expected);
  });

  it('keeps a key that is named like a method', () => {
    expect(render('{{ d.items }} {{ d["keys"] }} {{ d.items() | length }}', { d: { items: 'i', keys: 'k' } })).toBe(
      'i k 2',
    );
  });

  it('gives no way to constructors', () => {
    for (const template of ['{{ "".constructor }}', '{{ f.constructor("x")() }}', '{{ {}["__proto__"] }}'])
      expect(refusal(template, { f: () => 1 })).toContain('is undefined');
  });
});

describe('macros and filters', () => {
  it('add to and format dates', () => {
    expect([dsAdd('2015-01-01', 5), dsAdd('2015-01-02', 0), dsAdd('2015-01-06', -5)]).toEqual([
      '2015-01-06',
      '2015-01-02',
      '2015-01-01',
    ]);
    expect([
      dsFormat('2015-01-02', '%Y-%m-%d', '%m-%d-%y'),
      dsFormat('1/5/2015', '%m/%d/%Y', '%Y-%m-%d'),
      dsFormat('12/07/2024', '%d/%m/%Y', '%A %d %B %Y %j'),
    ]).toEqual(['01-02-15', '2015-01-05', 'Friday 12 July 2024 194']);
    expect(
      render("{{ macros.ds_add('2015-01-01', 5) }} {{ macros.ds_format('2015-01-02', '%Y-%m-%d', '%m-%d-%y') }}"),
    ).toBe('2015-01-06 01-02-15');
    expect(refusal("{{ macros.ds_format('x', '%Y', '%y') }}")).toContain("'x' does not match the format '%Y'");
    expect(refusal("{{ macros.ds_add('x', 1) }}")).toContain("'x' is not a date");
  });

  it('tell how far apart two moments are', () => {
    const diff = (a: string, b: string): string => datetimeDiffForHumans(a, b);
    expect(diff('2017-01-02', '2017-01-03')).toBe('1 day before');
    expect(diff('2017-01-02', '2017-01-01')).toBe('1 day after');
    expect(diff('2017-03-02', '2017-01-01')).toBe('2 months after');
    expect(diff('2017-01-01T00:00:05Z', '2017-01-01')).toBe('a few seconds after');
    expect(diff('2017-01-01', '2017-01-16')).toBe('2 weeks before');
    expect(render("{{ macros.datetime_diff_for_humans('2017-01-02', since='2017-01-03') }}")).toBe('1 day before');
    expect(datetimeDiffForHumans(new Date(Date.now() - 3_600_000))).toBe('1 hour ago');
  });

  it('formats moments', () => {
    const at = { at: DateTime.from('2024-12-01T01:02:03.004Z'), none: null };
    expect(
      render(
        '{{ at | ds }} {{ at | ds_nodash }} {{ at | ts }} {{ at | ts_nodash }} {{ at | ts_nodash_with_tz }} {{ none | ds }}',
        at,
      ),
    ).toBe('2024-12-01 20241201 2024-12-01T01:02:03.004000+00:00 20241201T010203 20241201T010203+0000 None');
    expect(
      render(
        "{{ at.strftime('%a %-d %b %y, %I:%M %p, week %V of %G %%') }} {{ at.year }} {{ at.add(days=31).isoformat() }}",
        at,
      ),
    ).toBe('Sun 1 Dec 24, 01:02 AM, week 48 of 2024 % 2024 2025-01-01T01:02:03.004000+00:00');
    expect(
      render(
        "{{ macros.json.dumps({'a': 1}) }} {{ macros.json.loads('[1]')[0] }} {{ (macros.uuid.uuid4() | string | length) }} {{ macros.random() < 1 }}",
      ),
    ).toBe('{"a": 1} 1 36 True');
  });
});

describe('template files', () => {
  const root = mkdtempSync(join(tmpdir(), 'rondo-templates-'));
  const sql = join(root, 'sql');
  const options = { searchPath: [root, sql], extensions: ['.sql'] };
  beforeAll(() => {
    mkdirSync(sql);
    writeFileSync(join(root, 'q.sql'), "select '{{ ds }}'\n{% include 'part.sql' %}\n");
    writeFileSync(join(sql, 'part.sql'), 'from {{ table }}\n');
    writeFileSync(join(root, 'broken.sql'), 'a\n{{ nothing }}');
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it('are read from the search path and may include others', () => {
    expect(renderTemplate('q.sql', { ds: '2024-12-01', table: 't' }, options)).toBe("select '2024-12-01'\nfrom t");
    expect(renderTemplate(['q.sql'], { ds: 'd', table: 't' }, options)).toEqual(["select 'd'\nfrom t"]);
    expect(renderTemplate('select 1', {}, options)).toBe('select 1');
  });

  it('are named in errors', () => {
    expect(() => renderTemplate('none.sql', {}, { ...options, field: 'sql' })).toThrow(
      `field sql: template file 'none.sql' is in none of: ${root}, ${sql}`,
    );
    expect(() => renderTemplate('broken.sql', {}, { ...options, field: 'sql' })).toThrow(
      "field sql, template broken.sql, line 2: 'nothing' is undefined",
    );
  });
});
