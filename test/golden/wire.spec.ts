import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_KINDS, GATEWAY_KINDS } from '@rondo/adapter-grpc';
import {
  COMMAND_TYPES,
  INBOX_KINDS,
  OUTCOME_KINDS,
  readInbox,
  readReady,
  READY_KINDS,
  REPORT_KINDS,
  TOPICS,
  UnknownMessageError,
  type ReadyMessage,
  type SchedulerMessage,
} from '@rondo/contracts';
import type { AgentFrame, GatewayFrame } from '@rondo/ports';
import { aDefinition, aTask } from '@rondo/testing';
import { Node } from '../application/harness.ts';

/**
 * What services say to one another, as releases have said it. A file is never edited, only added to: a release that reads less of it does
 * not work with the one before it.
 */
function golden<T>(name: string): readonly T[] {
  const text = readFileSync(join(import.meta.dirname, 'wire', `${name}.json`), 'utf8');
  return (JSON.parse(text) as { readonly messages: readonly T[] }).messages;
}

const inbox = golden<SchedulerMessage>('inbox');
const ready = golden<ReadyMessage>('ready');
const kindsOf = (messages: readonly { readonly kind: string }[]): string[] =>
  [...new Set(messages.map(({ kind }) => kind))].sort();
const sorted = (known: Readonly<Record<string, true>>): string[] => Object.keys(known).sort();

/** Maps: what is added to them is no field. */
const MAPS = new Set(['labels', 'xcoms', 'inputs', 'params', 'conf', 'payload', 'data', 'args', 'definition', 'value']);

/** As a later release would say it: with more in every object. */
function withMore<T>(value: T): T {
  if (Array.isArray(value)) return value.map((each: unknown) => withMore(each)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const more = Object.entries(value).map(([name, each]) => [name, MAPS.has(name) ? (each as unknown) : withMore(each)]);
  return { ...Object.fromEntries(more), sinceLater: { of: 'a later release' } } as T;
}

describe('golden messages', () => {
  it('hold every kind of message, command, report and outcome that is sent to schedulers', () => {
    expect(kindsOf(inbox)).toEqual(sorted(INBOX_KINDS));
    const commands = inbox.flatMap((message) => (message.kind === 'command' ? [message.command.type] : []));
    expect([...new Set(commands)].sort()).toEqual(sorted(COMMAND_TYPES));
    const reports = inbox.flatMap((message) => (message.kind === 'reports' ? message.reports : []));
    expect(kindsOf(reports)).toEqual(sorted(REPORT_KINDS));
    const outcomes = reports.flatMap((report) => (report.kind === 'finished' ? [report.outcome] : []));
    expect(kindsOf(outcomes)).toEqual(sorted(OUTCOME_KINDS));
  });

  it('hold every kind of message that is sent to gateways', () => {
    expect(kindsOf(ready)).toEqual(sorted(READY_KINDS));
  });

  it('hold every kind of frame', () => {
    expect(kindsOf(golden<AgentFrame>('agent'))).toEqual(sorted(AGENT_KINDS));
    expect(kindsOf(golden<GatewayFrame>('gateway'))).toEqual(sorted(GATEWAY_KINDS));
  });

  it.each([
    ['to schedulers', inbox, readInbox],
    ['to gateways', ready, readReady],
  ] as const)('%s are read as they were sent, and with more in them', (_, messages, read) => {
    for (const message of messages) {
      expect(read(structuredClone(message))).toEqual(message);
      expect(read(withMore(message))).toMatchObject(message);
    }
  });
});

describe('what this release cannot read', () => {
  const reports = (report: object): object => ({ kind: 'reports', dagId: 'd', reports: [report] });
  it.each([
    ['a message', { kind: 'polish', dagId: 'd' }, "this release knows no message to a scheduler of kind 'polish'"],
    ['a report', reports({ kind: 'polished' }), "this release knows no report of an attempt of kind 'polished'"],
    [
      'an outcome',
      reports({ kind: 'finished', outcome: { kind: 'polished' } }),
      "this release knows no outcome of an attempt of kind 'polished'",
    ],
    ['what is no message', null, 'this release knows no message to a scheduler like it'],
    ['a secret in its place', { kind: 'hunter 2' }, 'this release knows no message to a scheduler like it'],
    ['what every object has', { kind: 'toString' }, "this release knows no message to a scheduler of kind 'toString'"],
  ])('to a scheduler is put aside: %s', (_, message, reason) => {
    expect(() => readInbox(message)).toThrow(new UnknownMessageError(reason));
  });

  it.each([
    ['a message', { kind: 'polish' }, "this release knows no message to a gateway of kind 'polish'"],
    [
      'a question',
      { kind: 'ask', question: { id: 'q', about: 'weather' } },
      "this release knows no question to a gateway of kind 'weather'",
    ],
  ])('to a gateway is put aside: %s', (_, message, reason) => {
    expect(() => readReady(message)).toThrow(new UnknownMessageError(reason));
  });
});

describe('services that are sent all of it', () => {
  let node: Node;
  afterEach(() => node.crash());

  it.each([
    ['as it was', (messages: readonly object[]) => messages],
    [
      'with more in it, and another message',
      (messages: readonly object[]) => [{ kind: 'polish' }, ...withMore(messages)],
    ],
  ])('go on: %s', async (_, say) => {
    node = await new Node().start();
    for (const message of inbox)
      if (message.kind === 'command' && message.command.type === 'publishVersion') {
        const { definition, bundle } = message.command;
        await node.blobs.put(new TextEncoder().encode(JSON.stringify({ definition, bundle })));
      }
    const said = (key: string, messages: readonly object[]) => say(messages).map((value) => ({ key, value }));
    await node.bus.publish(TOPICS.schedulerInbox, said('d0', inbox));
    await node.bus.publish(TOPICS.tasksReady, said('wide', ready));
    await node.publish(aDefinition('mine', [aTask('a'), aTask('b', { upstream: ['a'] })]));
    await node.trigger('mine', { runId: 'r' });
    await node.until('dagRun-mine:r', 'RunSucceeded');
    expect(node.problems).toEqual([]);
    expect((await node.types('dag-d0')).length + (await node.types('dag-d1')).length).toBeGreaterThan(0);
  });

  it('a command that they do not know is answered so', async () => {
    node = await new Node().start();
    expect(await node.send('d', { type: 'polishDag' } as never)).toEqual({
      ok: false,
      code: 'unavailable',
      message: "this scheduler's release knows no command 'polishDag'",
    });
  });
});

describe('an event of a later release', () => {
  it.each([
    ['of a run', 'dagRun-d:r'],
    ['of a DAG', 'dag-d'],
  ])('%s keeps what it stands in as it is, and nothing else', async (_, stream) => {
    const first = await new Node().start();
    first.worker.outcome = () => undefined;
    await first.publish(aDefinition('d', [aTask('a')]));
    await first.trigger('d', { runId: 'r' });
    await first.until('dagRun-d:r', 'TaskScheduled');
    await first.crash();
    const { store, blobs } = first;
    const event = { id: crypto.randomUUID(), type: 'Polished', data: '{"at":1}', meta: '{}' };
    await store.append([{ stream, expected: 'any', events: [event] }]);
    const types = await first.types(stream);
    const node = await new Node(store, blobs).start();
    await node.publish(aDefinition('other', [aTask('a')]));
    await node.trigger('other', { runId: 'r' });
    await node.until('dagRun-other:r', 'RunSucceeded');
    const said = `event ${types.length - 1} of '${stream}' is of type 'Polished', which this release does not know: start a newer release`;
    while (!node.problems.some(({ kind }) => kind === 'quarantined')) await new Promise(setImmediate);
    expect(node.problems).toContainEqual(expect.objectContaining({ kind: 'quarantined', dagId: 'd', message: said }));
    expect(await node.types(stream)).toEqual(types);
    await node.crash();
  });
});
