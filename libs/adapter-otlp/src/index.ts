import { ROOT_CONTEXT, SpanStatusCode, trace, TraceFlags, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, TracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace';
import type { SpanData, TraceSink } from '@rondo/ports';

export interface OtlpTraceSinkOptions {
  /** Of a collector that speaks OTLP over HTTP: `http://collector:4318`. `/v1/traces` is put behind it. */
  readonly url: string;
  /** Of the resource: `service.name`, `service.version` and so on. */
  readonly resource: Readonly<Record<string, string>>;
  /** Milliseconds for one request. Default 10,000. */
  readonly timeoutMs?: number;
}

/** Spans of one request. */
const BATCH = 500;

/** Spans that have their ids already, to an OpenTelemetry collector. */
export function otlpTraceSink(options: OtlpTraceSinkOptions): TraceSink {
  return new OtlpTraceSink(options);
}

class OtlpTraceSink implements TraceSink {
  private readonly exporter: OTLPTraceExporter;
  private readonly provider: TracerProvider;
  private readonly tracer: Tracer;
  private ended: ReadableSpan[] = [];
  private ids = { traceId: '', spanId: '' };

  constructor({ url, resource, timeoutMs = 10_000 }: OtlpTraceSinkOptions) {
    this.exporter = new OTLPTraceExporter({ url: `${url.replace(/\/+$/, '')}/v1/traces`, timeoutMillis: timeoutMs });
    const settled = (): Promise<void> => Promise.resolve();
    this.provider = new TracerProvider({
      resource: resourceFromAttributes({ ...resource }),
      sampler: new AlwaysOnSampler(),
      idGenerator: { generateTraceId: () => this.ids.traceId, generateSpanId: () => this.ids.spanId },
      spanProcessors: [
        {
          onStart: () => undefined,
          onEnd: (span) => void this.ended.push(span),
          forceFlush: settled,
          shutdown: settled,
        },
      ],
    });
    this.tracer = this.provider.getTracer('rondo');
  }

  async export(spans: readonly SpanData[]): Promise<void> {
    for (let at = 0; at < spans.length; at += BATCH) await this.send(this.made(spans.slice(at, at + BATCH)));
  }

  async close(): Promise<void> {
    await this.provider.shutdown();
    await this.exporter.shutdown();
  }

  private made(spans: readonly SpanData[]): ReadableSpan[] {
    this.ended = [];
    for (const { traceId, spanId, parentSpanId, name, startAt, endAt, status, attributes, events } of spans) {
      this.ids = { traceId, spanId };
      const parent =
        parentSpanId === undefined
          ? ROOT_CONTEXT
          : trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: parentSpanId, traceFlags: TraceFlags.SAMPLED });
      const span = this.tracer.startSpan(name, { startTime: startAt, attributes: { ...attributes } }, parent);
      for (const event of events) span.addEvent(event.name, undefined, event.at);
      if (status !== undefined) span.setStatus({ code: status === 'ok' ? SpanStatusCode.OK : SpanStatusCode.ERROR });
      span.end(endAt);
    }
    return this.ended;
  }

  private send(spans: ReadableSpan[]): Promise<void> {
    return new Promise((resolve, reject) =>
      this.exporter.export(spans, ({ code, error }) =>
        code === 0 ? resolve() : reject(error ?? new Error('the collector did not take spans')),
      ),
    );
  }
}
