/** What a gateway has of a worker, and what it could use. */
export interface Claimant {
  /** Attempts that it has with the worker. */
  readonly running: number;
  /** Orders that wait at it and that the worker could take. */
  readonly waiting: number;
}

/**
 * How many attempts each gateway may have with a worker at once. What runs stays where it is. Free slots go, one by one, to
 * who has least among those with orders that wait; what is left over is spread, so that an order that comes finds a slot.
 * The answers never sum over `slots`, but for what is running.
 */
export function divideSlots(slots: number, claimants: readonly Claimant[]): number[] {
  const offers = claimants.map(({ running }) => running);
  let free = slots - offers.reduce((sum, each) => sum + each, 0);
  const give = (isWanted: (i: number) => boolean): boolean => {
    let least = -1;
    for (let i = 0; i < offers.length; i++) if (isWanted(i) && (least < 0 || offers[i]! < offers[least]!)) least = i;
    if (least < 0) return false;
    offers[least]!++;
    free--;
    return true;
  };
  const wants = (i: number): boolean => offers[i]! < claimants[i]!.running + claimants[i]!.waiting;
  while (free > 0 && give(wants));
  while (free > 0 && give(() => true));
  return offers;
}
