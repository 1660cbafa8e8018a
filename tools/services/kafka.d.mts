export interface KafkaBroker {
  readonly brokers: readonly string[];
  readonly port: number;
  readonly folder: string;
  readonly pid: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}
export function missingForKafka(): string[];
export function startKafka(options?: {
  readonly folder?: string;
  readonly port?: number;
  readonly keep?: boolean;
}): Promise<KafkaBroker>;
