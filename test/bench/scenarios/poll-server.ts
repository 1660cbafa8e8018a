/**
 * What the benchmark's sensors ask, in a process of its own: `/poll/N` answers "not yet" and counts; `/warm` answers "yes"; `/gate` answers once
 * as many have asked as its argument says. On a message it tells what it has counted since the last one.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PollCounts {
  readonly polls: number;
  /** Sensors that have been poked at all since. */
  readonly sensors: number;
  /** How far each gap between two pokes of a sensor was from the interval; milliseconds, sorted. */
  readonly offByMs: readonly number[];
  readonly connections: number;
}

const slots = Number(process.argv[2]);
const intervalMs = Number(process.argv[3]);
const last = new Map<string, number>();
let waiting: ServerResponse[] = [];
let polls = 0;
let connections = 0;
let offBy: number[] = [];
let seen = new Set<string>();

const server = createServer((request, response) => {
  const url = request.url ?? '';
  if (url === '/gate') {
    waiting.push(response);
    if (waiting.length < slots) return;
    for (const each of waiting) each.end('open');
    waiting = [];
    return;
  }
  if (url === '/warm') {
    response.end();
    return;
  }
  const now = performance.now();
  const before = last.get(url);
  if (before !== undefined) offBy.push(Math.abs(now - before - intervalMs));
  last.set(url, now);
  seen.add(url);
  polls++;
  response.writeHead(404, { 'content-length': '0' }).end();
});
server.on('connection', () => connections++);
server.keepAliveTimeout = 30_000;
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
process.on('message', () => {
  const counts: PollCounts = { polls, sensors: seen.size, offByMs: offBy.sort((a, b) => a - b), connections };
  [polls, connections, offBy, seen] = [0, 0, [], new Set()];
  process.send!(counts);
});
process.on('disconnect', () => process.exit(0));
