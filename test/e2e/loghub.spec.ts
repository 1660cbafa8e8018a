/** The example over nine logs of real systems, under whatever names: its report counts what the authors of the logs did. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Project } from './project.ts';

jest.setTimeout(150_000);
const root = join(import.meta.dirname, '../..');
const folder = join(root, '../shared/data/loghub');
const isThere = existsSync(join(folder, 'expected.json'));

interface Labelled {
  readonly levels: Readonly<Record<string, number>> | null;
}

const APPS = [
  ...['securityApp', 'mainApp', 'extApp', 'timeApp', 'tokenApp'],
  ...['bridgeApp', 'daemonApp', 'notificationApp', 'messageApp'],
] as const;
const truth = isThere
  ? (JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Readonly<Record<string, Labelled>>)
  : {};
const logs = Object.keys(truth);
/** What is an error to the authors: ERROR and FATAL, `error` in the words of httpd. */
const errorsIn = (log: string): number =>
  ['ERROR', 'FATAL', 'error'].reduce((sum, level) => sum + (truth[log]!.levels?.[level] ?? 0), 0);

(isThere ? describe : describe.skip)(
  `nine logs of real systems${isThere ? '' : ` [skipped: they are not at ${folder}]`}`,
  () => {
    let project: Project;
    beforeAll(() => {
      project = new Project();
    });
    afterAll(() => project.remove());

    it('are known to the last error', () => {
      expect(Object.fromEntries(logs.map((log) => [log, errorsIn(log)]))).toMatchObject({
        Hadoop: 152,
        Zookeeper: 13,
        Apache: 595,
      });
      expect(logs.reduce((sum, log) => sum + errorsIn(log), 0)).toBe(152 + 13 + 595);
    });

    it.each([
      ['one order', 0, 1],
      ['another', 5, 2],
    ])('are counted for each application: %s', async (_order, first, step) => {
      const given = join(project.folder, `logs-${first}`);
      mkdirSync(given);
      const assigned = Object.fromEntries(APPS.map((app, i) => [app, logs[(first + i * step) % logs.length]!]));
      expect(new Set(Object.values(assigned)).size).toBe(9);
      for (const [app, log] of Object.entries(assigned))
        copyFileSync(join(folder, `${log}.log`), join(given, `${app}.log`));
      const platform = project.start({
        args: ['--once', '--json', '--port', '0'],
        data: join(project.folder, `data-${first}`),
        dags: join(root, 'dags'),
        env: { RONDO_EXAMPLE_LOGS: given },
      });
      const { code } = await platform.exited;
      expect({ code, errors: code === 0 ? '' : platform.errors }).toEqual({ code: 0, errors: '' });
      const { state, report } = JSON.parse(platform.output.trimEnd().split('\n').at(-1)!) as {
        readonly state: string;
        readonly report: { readonly errorsByApp: object };
      };
      expect({ state, errorsByApp: report.errorsByApp }).toEqual({
        state: 'success',
        errorsByApp: Object.fromEntries(Object.entries(assigned).map(([app, log]) => [app, errorsIn(log)])),
      });
    });
  },
);
