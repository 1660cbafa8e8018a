import { systemClock, systemIds } from './clock.ts';

describe('systemClock', () => {
  it('calls back at the time, never before it', async () => {
    const clock = systemClock();
    const time = clock.now() + 15;
    const at = await new Promise<number>((resolve) => clock.at(time, () => resolve(clock.now())));
    expect(at).toBeGreaterThanOrEqual(time);
  });

  it('calls back for a time that is past, but not inside the call', async () => {
    const clock = systemClock();
    let inside = true;
    const wasInside = new Promise<boolean>((resolve) => clock.at(0, () => resolve(inside)));
    inside = false;
    expect(await wasInside).toBe(false);
  });

  it('takes a time farther off than a timer can be, and cancels', async () => {
    const clock = systemClock();
    let called = false;
    const cancel = clock.at(clock.now() + 10 * 365 * 86_400_000, () => (called = true));
    await new Promise<void>((resolve) => clock.at(clock.now() + 5, resolve));
    cancel();
    expect(called).toBe(false);
  });
});

it('makes UUIDs', () => {
  expect(systemIds.uuid()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});
