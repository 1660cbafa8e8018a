import type { ParseResult } from '@rondo/ports';
import { assignment, Driver, Project } from '../test/fixtures/harness.ts';

let project: Project;
let driver: Driver;

/** Far above what a file that ends takes on a machine with other work; files that never end take it whole. */
const LIMIT_MS = 10_000;

beforeEach(async () => {
  project = new Project();
  project.write('package.json', '{"name":"project","type":"commonjs"}');
  project.write(
    'dags/good.ts',
    `import { dag, task } from '@rondo/sdk';\nexport default dag('good', {}, () => { task('a', async () => 1); });\n`,
  );
  driver = await new Driver(project.workerOptions({ parse: { timeoutMs: LIMIT_MS, heapMiB: 64 } })).start();
});

afterEach(async () => {
  await driver.session.stop(0);
  project.remove();
});

function parse(file: string, text?: string): Promise<ParseResult> {
  if (text !== undefined) project.write(`dags/${file}`, text);
  return driver.session.parse({ id: 'p', root: `${project.folder}/dags`, file });
}

describe('parsing', () => {
  it('answers the DAGs, what they are made of, and what was printed', async () => {
    project.write(
      'dags/lib/helper.ts',
      `import data from './data.json' with { type: 'json' };\nexport const helper: string = data.name;`,
    );
    project.write('dags/lib/data.json', `{ "name": "x" }`);
    project.write('dags/lib/lazy.ts', `import './deeper.ts';\nexport default 1;`);
    project.write('dags/lib/deeper.ts', `export {};`);
    project.write('dags/unrelated.ts', `export {};`);
    const result = await parse(
      'main.ts',
      `
      import { dag, task } from '@rondo/sdk';
      import { helper } from './lib/helper.ts';
      console.log('loading ' + helper);
      export default [dag('one', { tags: ['t'] }, () => { task('a', async () => (await import('./lib/lazy.ts')).default); }), dag('two', {}, () => { task('b', async () => 2); })];`,
    );
    expect(result.errors).toEqual([]);
    expect(result).toMatchObject({
      id: 'p',
      file: 'main.ts',
      dags: [{ dagId: 'one', file: 'main.ts', tags: ['t'] }, { dagId: 'two' }],
      output: ['loading x'],
    });
    expect(result.bundleFiles).toEqual(['lib/data.json', 'lib/deeper.ts', 'lib/helper.ts', 'lib/lazy.ts', 'main.ts']);
  });

  it.each([
    [
      'a syntax error',
      `import { dag } from '@rondo/sdk';\n\nexport default dag('d' {});\n`,
      /Expected|Unexpected|missing/,
      3,
    ],
    ['a syntax error in JavaScript', undefined, /./, 2],
    ['a thrown error', `const n: number = 1;\n\nthrow new Error('no such host');\n`, /no such host/, 3],
    ['an enum', `enum Color { Red }\nexport default 1;\n`, /enum.*allowed in a DAG file/s, 1],
    [
      'a cycle',
      `import { dag, task } from '@rondo/sdk';\nexport default dag('d', {}, () => { const a = task('a', async () => 1); const b = task('b', async () => 1); a.to(b).to(a); });\n`,
      /a.*b.*a/s,
      undefined,
    ],
    [
      'the time of loading',
      `import { dag } from '@rondo/sdk';\nexport default dag('d', { startDate: new Date() }, () => {});\n`,
      /new Date\(\)|now/i,
      2,
    ],
    ['an unknown package', `import x from 'no-such-package';\nexport default x;\n`, /no-such-package/, undefined],
    [
      'process.exit()',
      `console.log('hi');\nprocess.exit(2);\n`,
      /^process\.exit\(2\) was called while the file was loading$/,
      2,
    ],
    [
      'an error that nobody catches',
      `setTimeout(() => { throw new Error('later'); }, 1);\nawait new Promise(() => {});\n`,
      /later/,
      1,
    ],
    [
      'reading the data folder',
      `import { readFileSync } from 'node:fs';\nreadFileSync('.rondo/x');\n`,
      /^reading '.*\.rondo\/x' is not allowed: it is in the data folder of the platform/,
      2,
    ],
    [
      'an import from outside',
      `import '../outside.ts';\nimport { dag } from '@rondo/sdk';\nexport default dag('d', {}, () => {});\n`,
      /import of '\.\.\/outside\.ts' leaves the DAG folder/,
      1,
    ],
    [
      'too much memory',
      `const kept = [];\nfor (;;) kept.push(new Array(1e6).fill({}));\n`,
      /needed more than 64 MiB of memory|did not finish/,
      undefined,
    ],
  ])('of a file with %s answers with a clear error, and hurts no other', async (what, text, message, line) => {
    project.write('outside.ts', 'export {};');
    const file = what.endsWith('JavaScript') ? 'bad.mjs' : 'bad.ts';
    const [bad, good] = await Promise.all([
      parse(file, text ?? `import { dag } from '@rondo/sdk';\nexport default dag('d' {});\n`),
      parse('good.ts'),
    ]);
    expect(bad.dags.length === 0 || what.startsWith('an import')).toBe(true);
    expect(bad.errors).toHaveLength(1);
    expect(bad.errors[0]).toMatchObject({
      file,
      message: expect.stringMatching(message) as string,
      ...(line === undefined ? {} : { line }),
    });
    expect(good).toMatchObject({ errors: [], dags: [{ dagId: 'good' }] });
  });

  it('of an endless loop ends by its time limit', async () => {
    const [bad, good] = await Promise.all([parse('loop.ts', `for (;;);\n`), parse('good.ts')]);
    expect(bad.errors).toMatchObject([
      { file: 'loop.ts', message: expect.stringMatching(/^did not finish loading within 10\.0s/) as string },
    ]);
    expect(good.dags).toHaveLength(1);
  });

  it('of 10 MB of output keeps the first lines', async () => {
    const result = await parse(
      'loud.ts',
      `import { dag } from '@rondo/sdk';\nfor (let i = 0; i < 100_000; i++) console.log('x'.repeat(100));\nexport default dag('d', {}, () => {});\n`,
    );
    expect(result.dags).toHaveLength(1);
    expect(result.output).toHaveLength(100);
    expect(result.output.at(-1)).toBe('… [99901 more lines were dropped]');
  });

  it('does not disturb attempts', async () => {
    project.bundle('b', `task('a', async () => 1)`);
    const parsing = parse('loop.ts', `for (;;);\n`);
    expect((await driver.run(assignment('a'))).outcome.kind).toBe('success');
    await parsing;
  });
});

describe('asking a timetable of the author’s own', () => {
  const query = { last: null, earliest: 0, latest: null, catchup: true, count: 2 };
  const ask = (next: string): Promise<ParseResult> => {
    project.write(
      'dags/own.ts',
      `import { Dag, Timetable } from '@rondo/sdk';
class Own extends Timetable { next({ last }) { if (last === null) return new Date(1_000); ${next} } }
export default new Dag({ id: 'own', schedule: new Own() });
`,
    );
    const root = `${project.folder}/dags`;
    return driver.session.parse({ id: 'p', root, file: 'own.ts', timetable: { dagId: 'own', query } });
  };

  it('answers its runs', async () => {
    const { told, errors } = await ask('return new Date(last.end.getTime() + 500);');
    expect({ told, errors }).toEqual({
      told: {
        runs: [
          [1_000, 1_000, 1_000],
          [1_500, 1_500, 1_500],
        ],
        isAtEnd: false,
      },
      errors: [],
    });
  });

  it.each([
    ['throws', `throw new Error('no');`, /next\(\) threw Error: no/],
    ['never ends', 'for (;;);', /did not finish/],
    ['never answers', 'return new Promise(() => {});', /did not finish|ended while loading/],
    ['takes all memory', 'const a = []; for (;;) a.push(new Array(1e6).fill(last));', /MiB of memory|ended while/],
    ['ends the process', 'process.exit(3);', /process.exit/],
    ['goes backwards', 'return new Date(500);', /goes backwards/],
  ])('answers what is wrong with one that %s', async (_, next, message) => {
    const { told, errors } = await ask(next);
    expect(told).toBeUndefined();
    expect(errors[0]?.message).toMatch(message);
  });

  it('refuses a file whose timetable fails for the first run', async () => {
    const result = await parse(
      'own.ts',
      `import { Dag, Timetable } from '@rondo/sdk';
class Own extends Timetable { next() { return 'soon'; } }
export default new Dag({ id: 'own', schedule: new Own() });
`,
    );
    expect(result.errors).toMatchObject([
      { file: 'own.ts', dagId: 'own', line: 3, message: expect.stringMatching(/^schedule: next\(\) returned 'soon'/) },
    ]);
  });
});
