import { EventEmitter } from 'node:events';
import { WireChannel, type Wire } from './channel.ts';
import type { Envelope } from './frames.ts';

interface Said {
  readonly kind: 'said';
  readonly text: string;
}

/** A wire that takes what fits, and the rest when it is told to. */
class NarrowWire extends EventEmitter {
  readonly taken: Envelope[] = [];
  isFull = false;
  hungUp = 0;
  write(envelope: Envelope): boolean {
    this.taken.push(envelope);
    return !this.isFull;
  }
  end(): void {}
}

function aChannel(mostWaiting: number) {
  const wire = new NarrowWire();
  const closed: string[] = [];
  const notices: string[] = [];
  const channel = new WireChannel<Said, Said>(wire as Wire, {
    ...{ peer: 'w1', known: { said: true }, mostWaiting },
    hangUp: () => wire.hungUp++,
    onNotice: (text) => notices.push(text),
  });
  channel.listen({ onFrame: () => undefined, onClose: (reason) => closed.push(reason) });
  return { wire, channel, closed, notices };
}

const said = (length: number): Said => ({ kind: 'said', text: 'x'.repeat(length) });
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a channel whose wire is full', () => {
  it('keeps what fits below the bound, and sends it in order when there is room', async () => {
    const { wire, channel, closed } = aChannel(1_000);
    wire.isFull = true;
    channel.send(said(10));
    await turn();
    for (let n = 0; n < 5; n++) channel.send(said(100 + n));
    await turn();
    expect(wire.taken).toHaveLength(1);
    wire.isFull = false;
    wire.emit('drain');
    const texts = wire.taken.flatMap(({ frames }) =>
      frames.map(({ payload }) => (JSON.parse(String(payload)) as Said).text),
    );
    expect(texts.map(({ length }) => length)).toEqual([10, 100, 101, 102, 103, 104]);
    for (let n = 0; n < 50; n++) channel.send(said(100));
    await turn();
    expect(closed).toEqual([]);
  });

  it('ends beyond the bound, at once and once, and says why', async () => {
    const { wire, channel, closed, notices } = aChannel(1_000);
    wire.isFull = true;
    channel.send(said(10));
    await turn();
    for (let n = 0; n < 100; n++) channel.send(said(100));
    await turn();
    expect(closed).toEqual([expect.stringMatching(/^w1 does not take what it is sent: 1\d\d\d bytes wait$/)]);
    expect(notices).toEqual(closed);
    expect(wire.hungUp).toBe(1);
    wire.isFull = false;
    wire.emit('drain');
    channel.send(said(1));
    await turn();
    expect(wire.taken).toHaveLength(1);
  });
});
