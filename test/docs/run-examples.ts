import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { json } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { collectDags, serialiseDag, withStaticClock } from '@rondo/sdk';
import { run } from '../../apps/cli/src/program.ts';
import type { ExampleRequest, ExampleResult } from './dag-examples.ts';

/** What is asked for on stdin, answered on stdout; run by `runExamples`. */
const results: ExampleResult[] = [];
for (const request of (await json(process.stdin)) as readonly ExampleRequest[])
  results.push(request.loadOnly ? await load(request) : await test(request));
process.stdout.write(JSON.stringify(results));

async function load({ file, folder }: ExampleRequest): Promise<ExampleResult> {
  try {
    const exported: unknown = await withStaticClock(folder, () => import(pathToFileURL(file).href));
    const { dags, errors } = collectDags(exported, basename(file));
    dags.forEach((dag) => serialiseDag(dag));
    return { code: errors.length, out: '', log: errors.map((error) => error.message).join('\n') };
  } catch (error) {
    return { code: 1, out: '', log: String(error) };
  }
}

async function test(request: ExampleRequest): Promise<ExampleResult> {
  const { marker } = request;
  const server = marker.serves === undefined ? undefined : await serve(marker.serves);
  const env = { ...marker.env, ...(server === undefined ? {} : { RONDO_CONN_SHOP: addressOf(server) }) };
  const result = await runDag(request, env, ['--json']);
  const forPeople = request.isShown ? await runDag(request, env, []) : undefined;
  server?.close();
  return { ...result, ...(forPeople === undefined ? {} : { shown: forPeople.log + forPeople.out }) };
}

async function runDag(
  { file, folder, marker }: ExampleRequest,
  env: Readonly<Record<string, string>>,
  more: readonly string[],
): Promise<ExampleResult> {
  const conf = marker.conf === undefined ? [] : ['--conf', JSON.stringify(marker.conf)];
  let [out, log] = ['', ''];
  const code = await run(['dags', 'test', file, '--dags', folder, ...conf, ...(marker.args ?? []), ...more], {
    stdout: { write: (chunk) => (out += chunk) },
    stderr: { write: (chunk) => (log += chunk) },
    env: { ...process.env, ...env },
    cwd: folder,
    readInput: () => Promise.resolve(''),
    onInterrupt: () => new AbortController().signal,
  });
  return { code, out, log };
}

async function serve(answers: NonNullable<ExampleRequest['marker']['serves']>): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = answers[new URL(request.url ?? '/', 'http://localhost').pathname];
    if (answer === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
