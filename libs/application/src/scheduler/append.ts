import { StoreUnavailableError, type AppendRequest, type Clock, type EventStore, type Position } from '@rondo/ports';

/** Another instance writes this DAG's streams now: what is in memory is worth nothing. */
export class OwnershipLostError extends Error {
  override readonly name = 'OwnershipLostError';
}

const PAUSES_MS = [100, 250, 500, 1_000, 2_000, 5_000];

/**
 * Appends a chain and answers its last position. A store that is away is waited for with the same event ids (I11); a conflict
 * means that the memory it was decided on is stale (the fence).
 */
export async function appendChain(
  store: EventStore,
  chain: readonly AppendRequest[],
  clock: Clock,
  onWait: (message: string) => void,
  isStopped: () => boolean,
): Promise<Position> {
  let said = '';
  for (let attempt = 0; ; attempt++) {
    try {
      const outcomes = await store.append(chain);
      const last = outcomes[outcomes.length - 1];
      if (last === undefined) throw new Error('the store answered an append with nothing');
      if (!last.ok)
        throw new OwnershipLostError(`stream '${last.stream}' is at revision ${last.actual}, not at ${last.expected}`);
      // A repeat answers where it stands: the chain reaches as far as its latest event.
      return Math.max(...outcomes.map((outcome) => (outcome.ok ? outcome.position : 0)));
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || !error.retryable || isStopped()) throw error;
      if (error.message !== said) onWait(error.message);
      said = error.message;
      const pause = PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]!;
      await new Promise<void>((resolve) => void clock.at(clock.now() + pause, resolve));
    }
  }
}
