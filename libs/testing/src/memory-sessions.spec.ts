import type { AgentFrame } from '@rondo/ports';
import { describeSessionsContract } from './contract/sessions.ts';
import { memorySessions } from './memory-sessions.ts';

describeSessionsContract('in memory', async (stores) => {
  const { host, line } = memorySessions(stores);
  return { host, line, dispose: async () => undefined };
});

describe('a link that is carried by the test', () => {
  it('lets frames arrive when the test says so, in their order, or never', async () => {
    const onTheWay: (() => void)[] = [];
    const sessions = memorySessions({ carry: (arrive) => onTheWay.push(arrive) });
    const seen: AgentFrame[] = [];
    await sessions.host.start((channel) =>
      channel.listen({ onFrame: (frame) => seen.push(frame), onClose: () => undefined }),
    );
    const worker = await sessions.line().connect();
    for (let n = 1; n <= 3; n++) worker.send({ kind: 'beat', n });
    expect(seen).toEqual([]);
    onTheWay[2]!();
    onTheWay[0]!();
    await Promise.resolve();
    expect(seen).toEqual([
      { kind: 'beat', n: 1 },
      { kind: 'beat', n: 2 },
    ]);
  });
});
