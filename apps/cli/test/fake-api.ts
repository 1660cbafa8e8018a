import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { run } from '../src/program.ts';

export interface Received {
  readonly method: string;
  /** Without `/api/v1`. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Answer {
  readonly status?: number;
  readonly body?: unknown;
  readonly text?: string;
}

/** An API that answers what a test says, and remembers what it was asked. */
export class FakeApi {
  readonly received: Received[] = [];
  readonly url: string;
  readonly #server: Server;
  readonly #routes = new Map<string, (request: Received) => Answer>();

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(): Promise<FakeApi> {
    const server = createServer((request, response) => {
      void (async () => {
        const url = new URL(request.url ?? '/', 'http://fake');
        const source = await text(request);
        const received: Received = {
          method: request.method ?? '',
          path: url.pathname.replace('/api/v1', ''),
          query: Object.fromEntries(url.searchParams),
          body: source === '' ? undefined : JSON.parse(source),
          headers: request.headers,
        };
        fake.received.push(received);
        const route = fake.#routes.get(`${received.method} ${received.path}`);
        const answer = route?.(received) ?? {
          status: 404,
          body: { title: 'not found', detail: `no ${received.path}` },
        };
        response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', connection: 'close' });
        response.end(answer.text ?? (answer.body === undefined ? '' : JSON.stringify(answer.body)));
      })();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const fake = new FakeApi(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return fake;
  }

  on(route: string, answer: Answer | ((request: Received) => Answer)): this {
    this.#routes.set(route, typeof answer === 'function' ? answer : () => answer);
    return this;
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
  readonly tty?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs one command line in this process, as a terminal or a pipe would see it. */
export async function rondo(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await run(args, {
    stdout: {
      write: (chunk) => (out += chunk),
      ...(options.tty === true ? { isTTY: true, columns: 120, rows: 40 } : {}),
    },
    stderr: { write: (chunk) => (err += chunk) },
    env: options.env ?? {},
    cwd: options.cwd ?? import.meta.dirname,
    readInput: () => Promise.resolve(options.input ?? ''),
    onInterrupt: () => options.signal ?? new AbortController().signal,
  });
  return { code, out, err };
}

/** The cells of a table's rows, without its head. */
export const rowsOf = (table: string): readonly (readonly string[])[] =>
  table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/ {2,}/));
