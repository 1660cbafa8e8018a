import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  dagExamples,
  isLoadOnly,
  runExamples,
  writePage,
  type DagExample,
  type ExampleResult,
} from './dag-examples.ts';
import { pages, parsePage, root, type Page } from './markdown.ts';

let tmp: string;
beforeAll(async () => {
  tmp = await mkdtemp(join(tmpdir(), 'rondo-docs-'));
});
afterAll(() => rm(tmp, { recursive: true, force: true }));

interface Answer {
  readonly state: string;
  readonly tasks: readonly { readonly taskId: string; readonly state: string; readonly upstream: readonly string[] }[];
  readonly returned: Readonly<Record<string, unknown>>;
}

/** What is wrong with an example, in words; empty: nothing. */
function check({ title, block: { marker } }: DagExample, { code, out, log }: ExampleResult): void {
  if (marker.load === false) {
    expect([title, code, log]).toEqual([title, 1, expect.stringContaining(marker.error ?? 'does not load')]);
    return;
  }
  if (isLoadOnly(marker)) {
    expect([title, code, log]).toEqual([title, 0, '']);
    return;
  }
  if (!out.startsWith('{')) throw new Error(`${title} was not run:\n${log}`);
  const answer = JSON.parse(out) as Answer;
  const ends = marker.ends ?? 'success';
  if (answer.state !== ends) throw new Error(`${title} ended as ${answer.state}, expected ${ends}:\n${log}`);
  const states = Object.fromEntries(answer.tasks.map((task) => [task.taskId, task.state]));
  const upstream = Object.fromEntries(answer.tasks.map((task) => [task.taskId, task.upstream]));
  if (marker.states !== undefined) expect(states).toEqual(marker.states);
  if (marker.upstream !== undefined) expect(upstream).toMatchObject(marker.upstream);
  if (marker.returned !== undefined) expect(answer.returned).toMatchObject(marker.returned);
  if (marker.log !== undefined) expect(log).toContain(marker.log);
}

async function resultsOf(page: Page, folder: string): Promise<readonly ExampleResult[]> {
  return runExamples(await writePage(page, folder), tmp);
}

const withExamples = pages.filter((page) => dagExamples(page).length > 0);

describe.each(withExamples.map((page) => [page.path, page] as const))('examples of %s', (path, page) => {
  const examples = dagExamples(page);
  const folder = () => join(tmp, path.replaceAll(/\W/g, '_'));
  let results: readonly ExampleResult[] = [];
  beforeAll(async () => {
    results = await resultsOf(page, folder());
  }, 120_000);

  const lacking = examples.filter(({ block }) => isLoadOnly(block.marker));
  const titles = examples.map((example) => (lacking.includes(example) ? `${example.title} loads` : example.title));

  it.each(examples.map((example, i) => [titles[i]!, example, i] as const))('%s', (_title, example, i) => {
    check(example, results[i]!);
  });

  if (lacking.length > 0)
    // oxlint-disable-next-line jest/no-disabled-tests, jest/expect-expect
    it.skip.each(lacking.map(({ title, block }) => [title, block.marker.needs]))(
      '%s runs [skipped: needs %s]',
      () => {},
    );

  it('print what the page says that they print', () => {
    for (const { marker, text } of page.blocks.filter((block) => block.marker.outputOf !== undefined)) {
      const { shown } = results[examples.findIndex((example) => example.dagId === marker.outputOf)]!;
      expect(shape(text)).toEqual(shape(shown ?? ''));
    }
  });
});

/** Lines without what differs from run to run: times of day, run ids and durations. */
function shape(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) =>
      line
        .replaceAll(/manual__\S+/g, 'RUN')
        .replaceAll(/\d\d:\d\d:\d\d\.\d+/g, 'TIME')
        .replaceAll(/\b\d+(\.\d+)?m?s\b/g, 'TOOK')
        .trimEnd(),
    )
    .filter((line) => line !== '');
}

describe('code in pages', () => {
  const blocks = pages.flatMap((page) => page.blocks.filter((block) => block.language === 'ts'));

  it.each(blocks.map((block) => [`${block.page}:${block.line}`, block] as const))('%s is TypeScript', (_at, block) => {
    expect(() => stripTypeScriptTypes(block.text)).not.toThrow();
  });

  it('fits the types of the packages', async () => {
    const folder = join(tmp, 'types');
    for (const page of withExamples) await writePage(page, join(folder, page.path.replaceAll(/\W/g, '_')));
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    const compilerOptions = { typeRoots: [join(root, 'node_modules/@types')], types: ['node'] };
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(root, 'tsconfig.json'),
        compilerOptions,
        include: ['*/**/*.ts'],
        exclude: ['**/node_modules'],
      }),
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
    }).catch((error: { readonly stdout: string }) => error);
    // Errors in the packages themselves are for the type check of the workspace.
    expect(stdout.split('\n').filter((line) => /^\w+_md\//.test(line))).toEqual([]);
  }, 120_000);
});

describe('a broken example', () => {
  const broken = (body: string, marker = '{}'): Page =>
    parsePage(
      'page.md',
      `<!-- test ${marker} -->\n\`\`\`ts\nimport { Dag, task } from '@rondo/sdk';\n${body}\n\`\`\`\n`,
    );
  const outcome = async (page: Page, name: string): Promise<() => void> => {
    const [result] = await resultsOf(page, join(tmp, name));
    return () => check(dagExamples(page)[0]!, result!);
  };

  it('that does not load is found', async () => {
    const page = broken(`export default new Dag({ id: 'x', shedule: '@daily' } as never);`);
    expect(await outcome(page, 'load')).toThrow(/did you mean schedule/);
  });

  it('whose run ends otherwise is found', async () => {
    const page = broken(`export default new Dag({ id: 'x' }, () => void task('a', () => { throw new Error('no'); }));`);
    expect(await outcome(page, 'ends')).toThrow(/ended as failed, expected success/);
  });

  it('whose tasks do something else is found', async () => {
    const page = broken(
      `export default new Dag({ id: 'x' }, () => void task('a', () => 1));`,
      '{"states":{"a":"skipped"}}',
    );
    expect(await outcome(page, 'states')).toThrow(/skipped/);
  });
});
