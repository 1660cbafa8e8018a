import type { Message } from 'kafkajs';
import { Resender } from './resender.ts';

const letter = (at: number, size = 1, topic = 't') => ({
  ...{ offset: '0', timestamp: '0', key: Buffer.from(`k${at}`), value: Buffer.alloc(size, 0xff) },
  headers: { topic, partition: '9', at: String(at) },
});

function sending(fails: (topic: string) => boolean = () => false) {
  const sent: [topic: string, messages: readonly Message[]][] = [];
  const resender = new Resender({
    send: async (topic, messages) => {
      if (fails(topic)) throw new Error('away');
      sent.push([topic, messages]);
    },
    ensure: async () => undefined,
    partitionOf: (partition, key) => (key === 'k2' ? 0 : partition),
    marks: 'marks',
    mark: { before: 4, at: 1, by: 'ada' },
  });
  return { sent, resender, topics: () => sent.map(([topic, messages]) => [topic, messages.length]) };
}

describe('sending letters again', () => {
  it('sends bytes to where they were, and marks them afterwards', async () => {
    const { sent, resender } = sending();
    await resender.add(letter(1, 2));
    await resender.add(letter(2));
    await resender.add(letter(3, 1, 'u'));
    expect(sent).toEqual([]);
    await resender.flush();
    const value = '{"before":4,"at":1,"by":"ada"}';
    expect(sent).toEqual([
      [
        't',
        [
          { key: Buffer.from('k1'), value: Buffer.from([0xff, 0xff]), partition: 9 },
          { key: Buffer.from('k2'), value: Buffer.from([0xff]), partition: 0 },
        ],
      ],
      ['u', [{ key: Buffer.from('k3'), value: Buffer.from([0xff]), partition: 9 }]],
      ['marks', ['t/9/1', 't/9/2', 'u/9/3'].map((key) => ({ key, value, partition: 0 }))],
    ]);
    expect(resender.sent).toBe(3);
  });

  it('sends a message once that several readers have laid aside', async () => {
    const { resender, topics } = sending();
    await resender.add(letter(1));
    await resender.flush();
    await resender.add(letter(1));
    await resender.flush();
    expect(topics()).toEqual([
      ['t', 1],
      ['marks', 1],
    ]);
    expect(resender.sent).toBe(1);
  });

  it('sends some at a time, by number and by size', async () => {
    const { resender, topics } = sending();
    for (let at = 0; at < 150; at++) await resender.add(letter(at));
    for (let at = 200; at < 203; at++) await resender.add(letter(at, 2 * 1024 * 1024));
    await resender.flush();
    expect(topics().filter(([topic]) => topic === 't')).toEqual([
      ['t', 100],
      ['t', 52],
      ['t', 1],
    ]);
  });

  it('marks nothing that was not sent', async () => {
    const { resender, topics } = sending((topic) => topic === 'u');
    await resender.add(letter(1, 1, 'u'));
    await expect(resender.flush()).rejects.toThrow('away');
    expect(topics()).toEqual([]);
  });
});
