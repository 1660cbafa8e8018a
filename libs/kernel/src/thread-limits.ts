/**
 * For threads of the platform. What is new dies young, in a place of this size: without a bound each thread keeps three
 * times as much of it, which costs memory and saves no time.
 */
export const THREAD_LIMITS = { maxYoungGenerationSizeMb: 24 } as const;
