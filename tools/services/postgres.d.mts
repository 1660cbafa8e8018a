export interface PostgresServer {
  /** `postgres://…` of the superuser, over TCP. */
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** `fast` closes connections; `immediate` is a crash. Default fast. Removes the data unless it was to be kept. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
}
/** What is missing on this machine, with how to get it; nothing: it can run. */
export function missingForPostgres(): string[];
export function startPostgres(options?: {
  readonly folder?: string;
  readonly port?: number;
  readonly keep?: boolean;
}): Promise<PostgresServer>;
