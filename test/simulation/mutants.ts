import type { ConsumeOptions, GatewayFrame } from '@rondo/ports';
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
      const { attempts } = gateway as unknown as {
        readonly attempts: { isKnown: () => boolean; isOver: () => boolean };
      };
      attempts.isKnown = () => false;
      attempts.isOver = () => false;
    },
  },
  /** A worker takes what an owner of the past hands it. */
  'generation-ignored': {
    frame: (frame) => (frame.kind === 'assign' ? { ...frame, generation: Number.MAX_SAFE_INTEGER } : frame),
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
    frame: (frame): GatewayFrame => (frame.kind === 'welcome' ? { ...frame, leaseMs: frame.leaseMs * 4 } : frame),
  },
};

/** The thing with some of its methods replaced. */
function replacing<T extends object>(thing: T, replaced: Partial<T>): T {
  return new Proxy(thing, {
    get: (_, name) => {
      const value = replaced[name as keyof T] ?? thing[name as keyof T];
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(thing) : value;
    },
  });
}
