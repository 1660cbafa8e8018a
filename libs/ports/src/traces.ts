/** A span that is over, as OpenTelemetry has it. A repeat has the same ids. */
export interface SpanData {
  /** 32 and 16 hex digits. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** Epoch milliseconds. */
  readonly startAt: number;
  readonly endAt: number;
  readonly status?: 'ok' | 'error';
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly events: readonly { readonly name: string; readonly at: number }[];
}

/** Takes spans to where people look at traces. */
export interface TraceSink {
  /** Resolves when they were taken; rejects when they were not, which may be tried again. */
  export(spans: readonly SpanData[]): Promise<void>;
  close(): Promise<void>;
}
