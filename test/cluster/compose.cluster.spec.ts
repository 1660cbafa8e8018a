import { setTimeout as sleep } from 'node:timers/promises';
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  status,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ComposedPlatform, composePlan, token } from './compose/platform.ts';

const plan = await composePlan();
const [given, why] = typeof plan === 'string' ? [describe.skip, ` [skipped: ${plan}]`] : [describe, ''];

given(`deploy/compose.yaml${why}`, () => {
  const platform = new ComposedPlatform(plan as Exclude<typeof plan, string>);

  beforeAll(() => platform.start(), 1_800_000);
  afterAll(() => platform.remove(), 300_000);

  it('brings a platform that runs a DAG, asked by the command line', async () => {
    while ((await platform.cli('dags', 'show', 'monitor_errors')).status !== 0) await sleep(1_000);
    const { status: exit, out } = await platform.cli('dags', 'trigger', 'monitor_errors', '--watch');
    expect(out).toContain('success');
    expect(exit).toBe(0);
  }, 600_000);

  it('serves its API to those who show the token, and tells of its parts', async () => {
    const url = `http://${await platform.addressOf('query', 8080)}/api/v1`;
    expect((await fetch(`${url}/dags`)).status).toBe(401);
    const answer = await fetch(`${url}/health`, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.json()).toMatchObject({ status: 'ok' });
  }, 60_000);

  it('serves it over gRPC, too', async () => {
    const { rondo } = loadPackageDefinition(
      loadSync('rondo/v1/query.proto', { includeDirs: ['proto'] }),
    ) as unknown as {
      readonly rondo: { readonly v1: { readonly Query: ServiceClientConstructor } };
    };
    const address = await platform.addressOf('query', 8082);
    const client = new rondo.v1.Query(address, credentials.createInsecure());
    const ask = (metadata: Metadata) =>
      new Promise((resolve, reject) =>
        client['GetDag']!({ dagId: 'monitor_errors' }, metadata, (error: ServiceError | null, dag: unknown) =>
          error === null ? resolve(dag) : reject(error),
        ),
      );
    const metadata = new Metadata();
    await expect(ask(metadata)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    metadata.set('authorization', `Bearer ${token}`);
    expect(await ask(metadata)).toMatchObject({ dagId: 'monitor_errors' });
    client.close();
  }, 60_000);

  it('keeps workers away from the engines', async () => {
    const ask = 'require("node:dns").lookup(process.argv[1], (error) => process.exit(error === null ? 0 : 1))';
    const node = '/rondo/node_modules/node/bin/node';
    const lookUp = (name: string) => platform.compose('exec', '-T', 'worker', node, '-e', ask, name);
    await lookUp('gateway-1');
    for (const engine of ['kafka', 'postgres', 'eventstore']) await expect(lookUp(engine)).rejects.toThrow('exec');
  }, 60_000);
});
