import type { BusCommands, Gateway, Scheduler } from '@rondo/application';
import type { Adapters } from './adapters.ts';

export interface HttpOptions {
  readonly host: string;
  /** Undefined: 8080, or the next free one. */
  readonly port: number | undefined;
  readonly token: string | undefined;
}
export interface ApiServer {
  readonly url: string;
  close(): Promise<void>;
}
export interface ApiOptions extends Adapters {
  readonly commands: BusCommands;
  readonly scheduler: Scheduler;
  readonly gateway: Gateway;
  readonly http: HttpOptions;
  readonly folder: string;
  readonly version: string;
  readonly dags: string;
}
export async function serveApi(_: ApiOptions): Promise<ApiServer> {
  return { url: 'http://127.0.0.1:0', close: async () => undefined };
}
