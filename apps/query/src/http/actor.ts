import type { Actor } from '@rondo/contracts';

/** `user:ada`, as an event's metadata names who caused it. */
export const actorText = ({ kind, name }: Actor): string => `${kind}:${name}`;
