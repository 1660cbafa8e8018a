import type { Broker } from './start.ts';

/** What is missing on this machine, with how to get it; nothing: it can run. */
export function missingForKafka(): string[];
export function startKafka(options?: {
  readonly folder?: string;
  readonly port?: number;
  /** Its data stay when it is stopped. Default: no. */
  readonly keep?: boolean;
}): Promise<Broker>;
