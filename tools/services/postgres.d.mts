import type { Database } from './start.ts';

/** What is missing on this machine, with how to get it; nothing: it can run. */
export function missingForPostgres(): string[];
export function startPostgres(options?: {
  readonly folder?: string;
  readonly port?: number;
  /** Its data stay when it is stopped. Default: no. */
  readonly keep?: boolean;
}): Promise<Database>;
