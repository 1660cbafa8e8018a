import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Dag, Operator, task, taskGroup, type DagOptions } from '../authoring/index.ts';
import { collectDags, importFailure, referencedFiles, withStaticClock } from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'rondo-loading-'));
afterAll(() => rmSync(root, { recursive: true }));

class Show extends Operator<{ text: unknown }, unknown> {
  static override readonly templateFields = ['text'];
  static override readonly templateExtensions = ['.sql'];
  execute(): void {}
}

describe('loading', () => {
  const load = async (name: string, source: string): Promise<unknown> => {
    const file = join(root, name);
    writeFileSync(file, source);
    try {
      return await withStaticClock(root, () => import(pathToFileURL(file).href) as Promise<unknown>);
    } catch (error) {
      return importFailure(error, { file: name, root });
    }
  };

  it('collects one DAG or several, and leaves out what is broken', () => {
    const good = new Dag({ id: 'good' });
    const bad = new Dag({ id: 'bad' }, () => task('a', () => 1).to('b'));
    const { dags, errors } = collectDags({ default: [good, bad, 7, new Dag({ id: 'good' })] }, 'x.ts');
    expect(dags).toEqual([good]);
    expect(errors.map((e) => [e.dagId, e.message.replace(/^\S+ /, '')])).toEqual([
      ['bad', expect.stringContaining("'b', which is no task or group of the DAG")],
      [undefined, '2 of the default export is 7; allowed: a Dag, or an array of them'],
      ['good', expect.stringContaining('is given twice in this file')],
    ]);
    expect(collectDags({}, 'x.ts').errors[0]!.message).toBe(
      'the file has no default export; allowed: export default a Dag, or an array of them',
    );
  });

  it.each([
    ['new Date()', 'new Date()'],
    ['Date.now()', 'Date.now()'],
    ['Date()', 'Date()'],
    ['Temporal.Now.instant()', 'Temporal.Now.instant()'],
    ['performance.now()', 'performance.now()'],
  ])('refuses %s at top level', async (expression, what) => {
    const name = `clock-${expression.replaceAll(/\W/g, '')}.mjs`;
    const failure = await load(name, `export const a = 1;\nexport default ${expression};\n`);
    expect(failure).toMatchObject({
      file: name,
      line: 2,
      message: expect.stringContaining(`${what} at top level depends on when the file is loaded`) as string,
    });
  });

  it('allows given dates, packages of the DAG folder, and the clock afterwards', async () => {
    mkdirSync(join(root, 'node_modules', 'clocky'), { recursive: true });
    writeFileSync(join(root, 'node_modules', 'clocky', 'index.mjs'), 'export const at = Date.now();');
    const loaded = await load(
      'fine.mjs',
      "import './node_modules/clocky/index.mjs';\nexport const d = new Date('2024-01-01'); export const is = d instanceof Date; export const now = () => Date.now();",
    );
    expect(loaded).toMatchObject({ d: new Date('2024-01-01'), is: true });
    expect((loaded as { now: () => number }).now()).toBeGreaterThan(0);
    expect(new Date().getTime()).toBeGreaterThan(0);
    expect(Date.prototype.constructor).toBe(Date);
  });

  it('finds the line that asks for what is not there', () => {
    writeFileSync(join(root, 'asks.mjs'), "\nimport './gone.mjs';\n");
    const missing = Object.assign(new Error(`Cannot find module '${root}/gone.mjs' imported from ${root}/asks.mjs`), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
    expect(importFailure(missing, { file: 'asks.mjs', root })).toMatchObject({
      line: 2,
      message: "Cannot find module 'gone.mjs' imported from asks.mjs",
    });
  });

  it('tells where a file threw', async () => {
    expect(await load('throws.mjs', '\n\nthrow new TypeError("broken " + import.meta.url);')).toMatchObject({
      file: 'throws.mjs',
      line: 3,
      message: 'TypeError: broken throws.mjs',
    });
    expect(await load('text.mjs', 'throw "text";')).toEqual({ file: 'text.mjs', message: "the file threw 'text'" });
  });
});

describe('files that a DAG names', () => {
  const listing = [
    'etl/dag.ts',
    'etl/run.sh',
    'etl/sql/a.sql',
    'etl/sql/b.sql',
    'etl/sql/part.sql',
    'etl/py/job.py',
    'etl/py/helper.py',
    'etl/py/lib/__init__.py',
    'etl/py/lib/x.py',
    'etl/py/loose/y.py',
    'etl/data/1.csv',
    'etl/data/deep/2.csv',
    'etl/tpl/t.html',
    'shared/x.json',
    'etl/README.md',
    'other.txt',
  ];
  const named = (text: unknown, options: Partial<DagOptions> = {}): readonly string[] => {
    const d = new Dag({ id: 'd', ...options }, () => void new Show({ id: 't', text }));
    collectDags({ default: d }, 'etl/dag.ts');
    return referencedFiles(d, listing, (file) => (file === 'etl/sql/a.sql' ? "{% include 'sql/part.sql' %}" : ''));
  };

  it('are words of any argument that are files or folders', () => {
    expect(named('nothing here')).toEqual([]);
    expect(named('bash ./run.sh --input=data/1.csv')).toEqual(['etl/data/1.csv', 'etl/run.sh']);
    expect(named(['cat "data"', { deep: 'x $(cat ../shared/x.json)' }])).toEqual([
      'etl/data/1.csv',
      'etl/data/deep/2.csv',
      'shared/x.json',
    ]);
    expect(named('sql/a.sql')).toEqual(['etl/sql/a.sql', 'etl/sql/part.sql']);
    expect(named('. .. / ./ ../ /etc/passwd ../../x')).toEqual([]);
  });

  it('are among what tasks and groups are mapped over', () => {
    const d = new Dag({ id: 'd' }, () => {
      const list = task('list', () => ['x'])();
      Show.partial({ id: 'show' }).expand({ text: list.zip(['run.sh']) });
      taskGroup('g').expand({ x: { 'data/1.csv': 1 } }, ({ x }) => void task('t', (_ctx, y: unknown) => y)(x));
    });
    d.file = 'etl/dag.ts';
    expect(referencedFiles(d, ['etl/run.sh', 'etl/data/1.csv', 'etl/other.sh'])).toEqual([
      'etl/data/1.csv',
      'etl/run.sh',
    ]);
  });

  it('bring the Python files beside them, the search path, and what the DAG lists', () => {
    expect(named('py/job.py')).toEqual([
      'etl/py/helper.py',
      'etl/py/job.py',
      'etl/py/lib/__init__.py',
      'etl/py/lib/x.py',
    ]);
    expect(named('t.html', { templateSearchPath: ['tpl'] })).toEqual(['etl/tpl/t.html']);
    expect(named('b.sql', { templateSearchPath: 'sql' })).toEqual([
      'etl/sql/a.sql',
      'etl/sql/b.sql',
      'etl/sql/part.sql',
    ]);
    expect(named('', { files: ['data/**', '*.md'] })).toEqual([
      'etl/README.md',
      'etl/data/1.csv',
      'etl/data/deep/2.csv',
    ]);
  });
});
