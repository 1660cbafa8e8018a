import { setTimeout as sleep } from 'node:timers/promises';
import { ComposedPlatform, composePlan, token } from './compose/platform.ts';

const plan = await composePlan();
const [given, why] = typeof plan === 'string' ? [describe.skip, ` [skipped: ${plan}]`] : [describe, ''];

given(`deploy/compose.yaml${why}`, () => {
  const platform = new ComposedPlatform(plan as Exclude<typeof plan, string>);

  beforeAll(() => platform.start(), 1_800_000);
  afterAll(() => platform.remove(), 300_000);

  it('brings a platform that runs a DAG, asked by the command line', async () => {
    while ((await platform.cli('dags', 'show', 'monitor_errors')).status !== 0) await sleep(1_000);
    const { status, out } = await platform.cli('dags', 'trigger', 'monitor_errors', '--watch');
    expect(out).toContain('success');
    expect(status).toBe(0);
  }, 600_000);

  it('serves its API to those who show the token, and tells of its parts', async () => {
    const url = `http://${await platform.addressOf('query', 8080)}/api/v1`;
    expect((await fetch(`${url}/dags`)).status).toBe(401);
    const answer = await fetch(`${url}/health`, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.json()).toMatchObject({ status: 'ok' });
  }, 60_000);

  it('keeps workers away from the engines', async () => {
    const ask = 'require("node:dns").lookup(process.argv[1], (error) => process.exit(error === null ? 0 : 1))';
    const node = '/rondo/node_modules/node/bin/node';
    const lookUp = (name: string) => platform.compose('exec', '-T', 'worker', node, '-e', ask, name);
    await lookUp('gateway-1');
    for (const engine of ['kafka', 'postgres', 'eventstore']) await expect(lookUp(engine)).rejects.toThrow('exec');
  }, 60_000);
});
