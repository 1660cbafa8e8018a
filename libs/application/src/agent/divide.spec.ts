import fc from 'fast-check';
import { divideSlots } from './divide.ts';

describe('the slots of a worker, divided', () => {
  it.each([
    [
      4,
      [
        { running: 0, waiting: 0 },
        { running: 0, waiting: 0 },
      ],
      [2, 2],
    ],
    [
      4,
      [
        { running: 0, waiting: 9 },
        { running: 0, waiting: 0 },
      ],
      [4, 0],
    ],
    [
      4,
      [
        { running: 0, waiting: 1 },
        { running: 0, waiting: 0 },
      ],
      [2, 2],
    ],
    [
      4,
      [
        { running: 4, waiting: 9 },
        { running: 0, waiting: 3 },
      ],
      [4, 0],
    ],
    [
      4,
      [
        { running: 2, waiting: 9 },
        { running: 0, waiting: 1 },
      ],
      [3, 1],
    ],
    [
      3,
      [
        { running: 1, waiting: 9 },
        { running: 0, waiting: 9 },
      ],
      [2, 1],
    ],
    [
      2,
      [
        { running: 3, waiting: 0 },
        { running: 0, waiting: 9 },
      ],
      [3, 0],
    ],
    [2, [], []],
  ])('%i among %j', (slots, claimants, offers) => {
    expect(divideSlots(slots, claimants)).toEqual(offers);
  });

  it('never sum over them but for what runs, leave none unused, and give no more to who wants nothing than to who waits', () => {
    const claimant = fc.record({ running: fc.nat(4), waiting: fc.nat(8) });
    fc.assert(
      fc.property(fc.nat(20), fc.array(claimant, { minLength: 1, maxLength: 5 }), (slots, claimants) => {
        const offers = divideSlots(slots, claimants);
        const running = claimants.reduce((sum, each) => sum + each.running, 0);
        expect(offers.reduce((sum, each) => sum + each, 0)).toBe(Math.max(slots, running));
        offers.forEach((offer, i) => expect(offer).toBeGreaterThanOrEqual(claimants[i]!.running));
        const starved = offers.some((offer, i) => offer < claimants[i]!.running + claimants[i]!.waiting);
        if (starved)
          offers.forEach((offer, i) =>
            expect(offer).toBeLessThanOrEqual(claimants[i]!.running + claimants[i]!.waiting),
          );
      }),
    );
  });
});
