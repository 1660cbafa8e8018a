import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TOPICS } from '@rondo/contracts';
import * as operators from '@rondo/operators';
import { TASK_STATES, TRIGGER_RULES } from '@rondo/domain';
import { Dag, macros, renderTemplate, templateContext, type DagOptions } from '@rondo/sdk';
import { OPERATIONS } from '../../apps/query/src/openapi/operations.ts';
import { codeIn, firstCells, pageAt, pages, root } from './markdown.ts';

const slugOf = (heading: string): string =>
  heading
    .replaceAll('`', '')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

const anchorsIn = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^#{1,6} (.*)$/gm)].map((match) => slugOf(match[1]!)));

describe('links', () => {
  const links = pages.flatMap((page) =>
    [...page.prose.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)]
      .map((match) => match[1]!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => [page.path, target] as const),
  );

  it.each(links)('%s to %s', (path, target) => {
    const [file, anchor] = target.split('#') as [string, string | undefined];
    const at = file === '' ? join(root, path) : join(root, dirname(path), file);
    expect(existsSync(at) || globSync(`${at}*.md`).length === 1).toBe(true);
    if (anchor !== undefined) expect([...anchorsIn(readFileSync(at, 'utf8'))]).toContain(anchor);
  });
});

describe('paths in backticks', () => {
  const FOLDERS = /^(?:apps|dags|deploy|docs|libs|proto|test|tools|\.ci)\/[\w./*-]*$/;
  const written = new Set(
    pages.flatMap((page) => page.blocks.map((block) => block.marker.file && `dags/${block.marker.file}`)),
  );
  const dagIds = pages.flatMap((page) => page.blocks.map((block) => /new Dag\(\{ id: '(\w+)'/.exec(block.text)?.[1]));
  const paths = pages.flatMap((page) =>
    codeIn(page.prose)
      .filter((code) => FOLDERS.test(code))
      .map((code) => [page.path, code] as const),
  );

  it.each(paths)('%s: %s', (_page, path) => {
    const isExample = written.has(path) || dagIds.some((id) => id !== undefined && path === `dags/${id}.ts`);
    const found = existsSync(join(root, path)) || globSync(path, { cwd: root }).length > 0;
    expect(isExample || found).toBe(true);
  });
});

describe('names in pages', () => {
  const sources = globSync(
    [
      '{apps,libs}/*/src/**/*.{ts,py}',
      'tools/*.mjs',
      'tools/services/**/*.{ts,mjs}',
      'test/cluster/*.ts',
      'dags/**/*.ts',
    ],
    { cwd: root },
  )
    .filter((path) => !/(?<!\.cluster)\.spec\.ts$/.test(path))
    .map((path) => readFileSync(join(root, path), 'utf8'))
    .join('\n');
  /** Stand for what a user names. */
  const OWN = /^(RONDO|AIRFLOW)_(VAR|CONN)_/;
  const variables = [...new Set(pages.flatMap(({ text }) => text.match(/\bRONDO_[A-Z_]+\b/g) ?? []))];

  it.each(variables.filter((name) => !OWN.test(name)))('%s is read somewhere', (name) => {
    expect(sources.includes(name) || sources.includes(name.replace(/[A-Z]+$/, '*'))).toBe(true);
  });

  const events = firstCellsOf('docs/architecture.md', '## Streams and events', 2).flatMap(codeIn);
  it.each([...new Set(events)])('%s is an event', (name) => {
    expect(sources).toMatch(new RegExp(`type: '${name}'`));
  });

  const cited = firstCells(pageAt('docs/architecture.md'), '## Invariants').map((cell) => cell.split(' ')[0]!);
  it.each(cited)('%s is cited where the page says', (invariant) => {
    const row = pageAt('docs/architecture.md')
      .prose.split('\n')
      .find((line) => line.startsWith(`| ${invariant} `))!;
    const places = codeIn(row).filter((code) => code.includes('/'));
    expect(
      places.filter((path) => new RegExp(`\\b${invariant}\\b`).test(readFileSync(join(root, path), 'utf8'))),
    ).toEqual(places);
  });
});

function firstCellsOf(path: string, after: string, column: number): readonly string[] {
  const from = pageAt(path).prose.indexOf(after);
  const lines = pageAt(path)
    .prose.slice(from)
    .split('\n')
    .filter((line) => line.startsWith('|'));
  const end = lines.findIndex((line, i) => i > 2 && line.startsWith('| |'));
  return lines.slice(2, end === -1 ? undefined : end).map((line) => line.split('|')[column]!);
}

describe('docs/operations.md', () => {
  it('lists every topic, and no other', () => {
    const listed = firstCells(pageAt('docs/operations.md'), '## Topics').flatMap(codeIn);
    expect([...listed].sort()).toEqual(Object.values(TOPICS).sort());
  });
});

describe('docs/api.md', () => {
  const listed = firstCells(pageAt('docs/api.md'), '## Operations').flatMap(codeIn);

  it('lists every operation, and no other', () => {
    const served = OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect([...listed].sort()).toEqual([...served].sort());
  });
});

describe('docs/authoring.md', () => {
  const page = pageAt('docs/authoring.md');
  const attributes = (heading: string): readonly string[] => firstCells(page, heading).flatMap(codeIn);

  it('has every attribute of a DAG, and no other', () => {
    expect([...attributes('## Attributes of a DAG')].sort()).toEqual(
      allowedBy(() => new Dag({ id: 'x', zzzzzzzzzzzzzzzz: 1 } as DagOptions)),
    );
  });

  it('has every attribute of a task, and no other', () => {
    const enforced = attributes('## Attributes of a task');
    const accepted = attributes('These are accepted, checked');
    expect([...enforced, ...accepted].sort()).toEqual(argumentsOf(operators.EmptyOperator));
  });

  it('has every trigger rule, and no other', () => {
    expect([...attributes('## Trigger rules')].sort()).toEqual([...TRIGGER_RULES].sort());
  });

  it('names filters and macros that there are', () => {
    const { prose } = pageAt('docs/templates.md');
    const lists = (begin: string): readonly string[] => {
      const text = prose.slice(prose.indexOf(`\n${begin}: `));
      return codeIn(text.slice(0, text.indexOf('\n\n', 1)));
    };
    const context = templateContext({ dagId: 'x', runId: 'x' });
    const isKnown = (filter: string): boolean => {
      try {
        renderTemplate(`{{ 'x' | ${filter} }}`, context);
        return true;
      } catch (error) {
        return !String(error).includes(`there is no filter '${filter}'`);
      }
    };
    expect(lists('Filters').filter((name) => !isKnown(name))).toEqual([]);
    const named = lists('Macros').map((code) => /^macros\.(\w+)/.exec(code)![1]!);
    expect(named.filter((name) => !(name in macros))).toEqual([]);
    expect(named.toSorted()).toEqual(
      Object.keys(macros)
        .filter((name) => name !== 'relativedelta')
        .toSorted(),
    );
  });

  it('shows names that templates have, and what macros give', () => {
    const page = pageAt('docs/templates.md');
    const context = templateContext({ dagId: 'x', runId: 'x', logicalDate: 0, reason: '', exception: '' });
    const names = firstCells(page, '## Names').flatMap(codeIn);
    const topLevel = new Set(names.map((name) => /^\w+/.exec(name)![0]));
    expect([...topLevel].toSorted()).toEqual(Object.keys(context).toSorted());
    const rows = page.prose.slice(page.prose.indexOf('| written | gives |')).split('\n').slice(2);
    for (const row of rows.slice(0, rows.indexOf(''))) {
      const [template, result] = row
        .split(/(?<!\\)\|/)
        .slice(1, 3)
        .map((cell) => codeIn(cell)[0]!.replaceAll('\\|', '|'));
      expect([template, renderTemplate(template, context)]).toEqual([template, result]);
    }
  });

  it('shows messages that are given', () => {
    const said = (make: () => unknown): string => {
      try {
        const made = make();
        return made instanceof Dag ? made.complete().map(String).join('\n') : '';
      } catch (error) {
        return String(error);
      }
    };
    const { EmptyOperator } = operators;
    const empty = (id: string, more: object = {}) => new EmptyOperator({ id, ...more });
    const given: Readonly<Record<string, () => unknown>> = {
      "shedule: '@daily'": () => new Dag({ id: 'x', shedule: '@daily' } as DagOptions),
      "retries: '3'": () => new Dag({ id: 'x' }, () => void empty('a', { retries: '3' })),
      'a.to(b).to(a)': () => new Dag({ id: 'x' }, () => void empty('a').to(empty('b')).to('a')),
      "a.to('lod')": () => new Dag({ id: 'x' }, () => void [empty('load'), empty('a').to('lod')]),
      'two tasks `a`': () => new Dag({ id: 'x' }, () => void [empty('a'), empty('a')]),
    };
    const rows = page.prose.slice(page.prose.indexOf('| written | said |')).split('\n').slice(2, 7);
    for (const row of rows) {
      const [, written, message] = row.split('|').map((cell) => cell.trim());
      const make = given[written!.replace(/^`(.*)`$/, '$1')] ?? given[written!];
      const shown = codeIn(message!)[0]!.replace(/line \d+/, 'line');
      expect(said(make!).replaceAll(/line \d+/g, 'line')).toContain(shown);
    }
  });
});

describe('docs/operators.md', () => {
  const page = pageAt('docs/operators.md');
  const sections = page.prose.split(/^## /m).slice(1);
  const classes = Object.entries(operators).filter(([name]) => /(Operator|Sensor)$/.test(name));
  const ownTo = new Map<string, readonly string[]>([
    ['FunctionOperator', ['fn', 'args']],
    ['BranchOperator', ['fn', 'args']],
    ['ShortCircuitOperator', ['fn', 'args', 'ignoreDownstreamTriggerRules']],
  ]);

  const sensing = firstCells(pageAt('docs/waiting.md'), '## Sensors').flatMap(codeIn);

  it.each(classes)('%s has its arguments, and no other', (name, operator) => {
    const section = sections.find((text) => text.startsWith(name));
    if (section === undefined) throw new Error(`there is no section ${name}`);
    const shown = section.includes('| argument |')
      ? firstCells({ ...page, prose: section }, '| argument |').flatMap(codeIn)
      : [];
    const common = new Set([...argumentsOf(operators.EmptyOperator), ...sensing]);
    const own =
      ownTo.get(name) ?? argumentsOf(operator as typeof operators.EmptyOperator).filter((each) => !common.has(each));
    expect([...shown].sort()).toEqual([...own].sort());
    expect(page.blocks.some(({ text }) => new RegExp(`new ${name}\\(`).test(text))).toBe(true);
  });
});

describe('docs/waiting.md', () => {
  it('has every attribute of a sensor, and no other', () => {
    const common = new Set([...argumentsOf(operators.EmptyOperator), 'delta']);
    expect([...firstCells(pageAt('docs/waiting.md'), '## Sensors').flatMap(codeIn)].sort()).toEqual(
      argumentsOf(operators.TimeDeltaSensor as never).filter((each) => !common.has(each)),
    );
  });
});

describe('README.md', () => {
  it('names every state of a task instance', () => {
    const row = pageAt('README.md')
      .prose.split('\n')
      .find((line) => line.startsWith('| state |'))!;
    expect(codeIn(row).toSorted()).toEqual(TASK_STATES.filter((state) => state !== 'none').toSorted());
  });
});

/** The attributes that a refusal of an unknown one lists. */
function allowedBy(make: () => unknown): readonly string[] {
  try {
    make();
  } catch (error) {
    const list = /zzzzzzzzzzzzzzzz is not an attribute; allowed: ([\w, ]+)/.exec(String(error))?.[1];
    if (list !== undefined) return list.split(', ');
  }
  throw new Error('an unknown attribute was not refused with what is allowed');
}

function argumentsOf(Kind: typeof operators.EmptyOperator): readonly string[] {
  return allowedBy(() => new Dag({ id: 'x' }, () => void new Kind({ id: 'a', zzzzzzzzzzzzzzzz: 1 } as never)));
}
