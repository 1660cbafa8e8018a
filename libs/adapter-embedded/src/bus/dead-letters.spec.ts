import { noDeadLetters } from './dead-letters.ts';

it('the bus inside the process has no dead letters, and says so', async () => {
  expect(await noDeadLetters.list({ limit: 10 })).toEqual({ items: [], next: undefined });
  expect(await noDeadLetters.find(0)).toBeUndefined();
  expect(await noDeadLetters.replay([3], 'ada')).toEqual({ ok: false, error: { unknown: [3], replayed: [] } });
  expect(await noDeadLetters.replayAll({}, 'ada')).toBe(0);
});
