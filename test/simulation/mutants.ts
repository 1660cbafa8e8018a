import type { ConsumeOptions } from '@rondo/ports';
import type { Plant } from './nodes.ts';

/**
 * Mistakes, each made from outside: by what a process is given instead of the real thing. The checks find every one of them,
 * or they are worth nothing.
 */
export const MUTANTS: Readonly<Record<string, Plant>> = {
  /** Nothing fences a scheduler that has lost its shard. */
  'no-expected-revision': {
    store: (store) =>
      replacing(store, {
        append: (chain) => store.append(chain.map((request) => ({ ...request, expected: 'any' }))),
      }),
  },
  /** A scheduler begins with what it has read, though its predecessor's append may still be on its way. */
  'no-fence': {
    scheduler: (scheduler) => {
      (scheduler as unknown as { fence: () => Promise<void> }).fence = () => Promise.resolve();
    },
  },
  /** What a process has read and not yet decided about dies with it. */
  'offset-before-append': {
    bus: (bus) =>
      replacing(bus, {
        consume: <T>(options: ConsumeOptions<T>) => {
          const onBatch: typeof options.onBatch = (messages) =>
            void Promise.resolve(options.onBatch(messages)).catch(() => undefined);
          return bus.consume({ ...options, onBatch });
        },
      }),
  },
  /** An order that comes twice is two orders. */
  'no-deduplication': {
    gateway: (gateway) => {
      const { attempts, ownership } = gateway as unknown as Receiver;
      attempts.isKnown = () => false;
      attempts.isOver = () => false;
      if (ownership !== undefined) ownership.isStale = () => false;
    },
  },
  /** An owner of a pool hands out before it knows what the one before has handed out, and a worker takes what either says. */
  'generation-ignored': {
    gateway: (gateway) => {
      const { ownership } = gateway as unknown as { readonly ownership?: Owner };
      if (ownership === undefined) return;
      const take = ownership.take.bind(ownership);
      ownership.take = (partitions) => {
        take(partitions);
        for (const partition of partitions) {
          const { recovery } = ownership.held.get(partition)!;
          if (recovery !== undefined) Object.defineProperty(recovery, 'isDone', { value: true });
        }
      };
    },
    reader: () => {
      const highest = new Map<number, number>();
      return (frame) => {
        if (frame.kind === 'generations')
          for (const { partition, generation } of frame.owned)
            highest.set(partition, Math.max(generation, highest.get(partition) ?? 0));
        if (frame.kind !== 'assign') return frame;
        return { ...frame, generation: Math.max(frame.generation, highest.get(frame.partition) ?? 0) };
      };
    },
  },
  /** One timer in thirty is forgotten. */
  'lost-timer': {
    clock: (clock) => {
      let count = 0;
      return {
        now: () => clock.now(),
        at: (time, callback) => (++count % 30 === 0 ? () => undefined : clock.at(time, callback)),
      };
    },
  },
  /** The gateway gives a worker up before the worker gives itself up. */
  'early-lease': {
    reader: () => (frame) => (frame.kind === 'welcome' ? { ...frame, leaseMs: frame.leaseMs * 4 } : frame),
  },
};

interface Receiver {
  readonly attempts: { isKnown: () => boolean; isOver: () => boolean };
  readonly ownership?: { isStale: () => boolean };
}

interface Owner {
  take(partitions: readonly number[]): void;
  readonly held: ReadonlyMap<number, { readonly recovery?: object }>;
}

/** The thing with some of its methods replaced. */
function replacing<T extends object>(thing: T, replaced: Partial<T>): T {
  return new Proxy(thing, {
    get: (_, name) => {
      const value = replaced[name as keyof T] ?? thing[name as keyof T];
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(thing) : value;
    },
  });
}
