import { embeddedBus } from '@rondo/adapter-embedded';
import type { MessageBus } from '@rondo/ports';
import { SystemWork } from './system-work.ts';

let bus: MessageBus;
beforeEach(() => {
  bus = embeddedBus();
});
afterEach(() => bus.close());

/** A process that would do the work, and what it did. */
function aProcess(name: string, said: string[], start: () => Promise<void> = async () => undefined) {
  return new SystemWork({
    bus,
    task: () => ({
      name: 'task',
      start: async () => {
        said.push(`${name} starts`);
        await start();
      },
      stop: async () => void said.push(`${name} stops`),
    }),
    onChange: (isOwner) => said.push(`${name} ${isOwner ? 'owns' : 'lets go'}`),
    onFailure: (_task, error) => said.push(`${name} failed: ${String(error)}`),
    retryMs: 1,
  });
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('what is done once in an installation', () => {
  it('is done by one process, and by another when that one stops', async () => {
    const said: string[] = [];
    const [a, b] = [aProcess('a', said), aProcess('b', said)];
    await a.start();
    await until(() => a.isOwner);
    await b.start();
    await until(() => a.isOwner !== b.isOwner);
    const [first, second] = a.isOwner ? [a, b] : [b, a];
    await first.stop();
    await until(() => second.isOwner);
    expect(first.isOwner).toBe(false);
    await second.stop();
    const open = said.reduce(
      (count, line) => count + (line.endsWith('starts') ? 1 : line.endsWith('stops') ? -1 : 0),
      0,
    );
    expect(open).toBe(0);
  });

  it('never runs twice at once: the one before has stopped when another starts', async () => {
    const said: string[] = [];
    const processes = ['a', 'b', 'c'].map((name) => aProcess(name, said));
    for (const each of processes) await each.start();
    for (const each of processes) await each.stop();
    let running = 0;
    for (const line of said) {
      if (line.endsWith('starts')) running++;
      if (line.endsWith('stops')) running--;
      expect(running).toBeLessThanOrEqual(1);
    }
  });

  it('is begun again when its start fails', async () => {
    const said: string[] = [];
    let failures = 2;
    const work = aProcess('a', said, () => (failures-- > 0 ? Promise.reject(new Error('away')) : Promise.resolve()));
    await work.start();
    await until(() => said.filter((line) => line === 'a starts').length === 3);
    expect(said.filter((line) => line === 'a failed: Error: away')).toHaveLength(2);
    expect(said.filter((line) => line === 'a stops')).toHaveLength(2);
    await work.stop();
    expect(said.at(-1)).toBe('a stops');
  });

  it('is not waited for by the group, and is stopped while it starts', async () => {
    const said: string[] = [];
    const work = aProcess('a', said, () => new Promise(() => undefined));
    await work.start();
    await until(() => said.includes('a starts'));
    await work.stop();
    expect(said).toEqual(['a owns', 'a starts', 'a lets go', 'a stops']);
  });
});
