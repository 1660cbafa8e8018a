/** What the adapter relies on in the server, asked by the official client: of the test server, or of a real one. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  EventStoreDBClient,
  jsonEvent,
  MaxAppendSizeExceededError,
  NO_STREAM,
  StreamDeletedError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import type { NewEvent } from '@rondo/ports';
import { anEventStoreNode } from '../../tools/services/start.ts';
import { startEventStoreDb, type EventStoreDbServer } from '../../tools/services/eventstoredb/server.ts';

const node = process.env['RONDO_EVENTSTOREDB'] === undefined ? await anEventStoreNode() : undefined;
const real = process.env['RONDO_EVENTSTOREDB'] ?? node?.connectionString;
let server: EventStoreDbServer | undefined;
let folder: string | undefined;
let client: EventStoreDBClient;

beforeAll(async () => {
  if (real === undefined) {
    folder = await mkdtemp(join(tmpdir(), 'rondo-esdb-'));
    server = await startEventStoreDb({ folder });
  }
  client = EventStoreDBClient.connectionString(real ?? server!.connectionString);
});
afterAll(async () => {
  await client.dispose();
  await server?.stop();
  await node?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const events = (count: number, text = '') =>
  Array.from({ length: count }, (_, n) => jsonEvent({ id: randomUUID(), type: 'Happened', data: { n, text } }));

async function revisionsOf(stream: string): Promise<number[]> {
  const revisions: number[] = [];
  for await (const { event } of client.readStream(stream)) revisions.push(Number(event!.revision));
  return revisions;
}

/** Both ways of the client: with a login of its own it sends an append by itself, else over a call that all share. */
const ways = [
  ['over the shared call', {}],
  ['by itself', { credentials: { username: 'admin', password: 'changeit' } }],
] as const;

describe.each(ways)('an append %s', (_name, how) => {
  it('that is repeated is answered like the first, and written once', async () => {
    const [stream, batch] = [randomUUID(), events(3)];
    const first = await client.appendToStream(stream, batch, { expectedRevision: NO_STREAM, ...how });
    const again = await client.appendToStream(stream, batch, { expectedRevision: NO_STREAM, ...how });
    expect(again.nextExpectedRevision).toBe(first.nextExpectedRevision);
    expect(await revisionsOf(stream)).toEqual([0, 1, 2]);
  });

  it('to another revision is refused, with the one that is there', async () => {
    const stream = randomUUID();
    await client.appendToStream(stream, events(3), how);
    const wrong = client.appendToStream(stream, events(1), { expectedRevision: 0n, ...how });
    await expect(wrong).rejects.toBeInstanceOf(WrongExpectedVersionError);
    await expect(wrong).rejects.toMatchObject({ actualVersion: 2n });
    await expect(
      client.appendToStream(randomUUID(), events(1), { expectedRevision: 4n, ...how }),
    ).rejects.toBeInstanceOf(WrongExpectedVersionError);
  });

  it('of more than 1 MiB is refused', async () => {
    const large = client.appendToStream(randomUUID(), events(20, 'x'.repeat(60_000)), how);
    await expect(large).rejects.toBeInstanceOf(MaxAppendSizeExceededError);
  });

  it('to a stream with a tombstone is refused, for ever', async () => {
    const stream = randomUUID();
    await client.appendToStream(stream, events(2), how);
    await client.tombstoneStream(stream);
    await expect(client.appendToStream(stream, events(1), how)).rejects.toBeInstanceOf(StreamDeletedError);
    await expect(revisionsOf(stream)).rejects.toBeInstanceOf(StreamDeletedError);
  });
});

describe('a stream', () => {
  it('that is truncated begins later, and goes on with its revisions', async () => {
    const stream = randomUUID();
    await client.appendToStream(stream, events(5));
    await client.setStreamMetadata(stream, { truncateBefore: 3 });
    expect(await revisionsOf(stream)).toEqual([3, 4]);
    await client.appendToStream(stream, events(1), { expectedRevision: 4n });
    expect(await revisionsOf(stream)).toEqual([3, 4, 5]);
  });

  it('that keeps so many events shows the last ones', async () => {
    const stream = randomUUID();
    await client.setStreamMetadata(stream, { maxCount: 2 });
    await client.appendToStream(stream, events(5));
    expect(await revisionsOf(stream)).toEqual([3, 4]);
  });
});

it('a burst of thousands of appends is written whole', async () => {
  const store = eventStoreDb({ connectionString: real ?? server!.connectionString });
  const prefix = randomUUID();
  const event = (): NewEvent => ({ id: randomUUID(), type: 'Happened', data: '{}', meta: '{}' });
  const outcomes = await Promise.all(
    Array.from({ length: 3_000 }, (_, n) =>
      store.append([{ stream: `${prefix}-${n}`, expected: 'noStream', events: [event()] }]),
    ),
  );
  expect(outcomes.every(([outcome]) => outcome!.ok)).toBe(true);
  expect(await store.listStreams(prefix)).toHaveLength(3_000);
  await store.close();
}, 120_000);
