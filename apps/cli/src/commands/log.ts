import type { LogLine } from '@rondo/ports';
import type { Context } from '../context.ts';
import type { Query } from '../http/client.ts';
import { RefusedError } from '../exit-codes.ts';

/** Lines for people, with their time of day in UTC; for programs one JSON object each. */
export function logText(lines: readonly LogLine[], context: Context): string {
  if (context.json) return lines.map((line) => JSON.stringify(line)).join('\n');
  return lines
    .map(({ at, stream, level, text }) => {
      const clock = context.colors.dim(new Date(at).toISOString().slice(11, 23));
      const mark = level ?? (stream === 'stdout' ? '' : stream);
      const body =
        level === 'error' || stream === 'stderr'
          ? context.colors.red(text)
          : level === 'warn'
            ? context.colors.yellow(text)
            : text;
      return `${clock} ${mark === '' ? '' : `${mark.padEnd(6)} `}${body}`;
    })
    .join('\n');
}

interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** Server-sent events of a body, as they come. */
export async function* serverEvents(chunks: AsyncIterable<string>): AsyncGenerator<ServerEvent> {
  let rest = '';
  for await (const chunk of chunks) {
    rest += chunk.replaceAll('\r\n', '\n');
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = block.split('\n');
      const data = fields.filter((field) => field.startsWith('data:')).map((field) => field.slice(5).trimStart());
      const event =
        fields
          .find((field) => field.startsWith('event:'))
          ?.slice(6)
          .trim() ?? 'message';
      if (data.length > 0) yield { event, data: data.join('\n') };
    }
  }
}

/** Prints the log as it grows, until the attempt ends or the user interrupts. */
export async function followLog(context: Context, route: string, query: Query): Promise<void> {
  const signal = context.terminal.onInterrupt();
  const chunks = context.api.stream(route, { query: { ...query, follow: true }, accept: 'text/event-stream', signal });
  for await (const { event, data } of serverEvents(chunks)) {
    if (event === 'end') return;
    const parsed = JSON.parse(data) as { readonly lines?: readonly LogLine[] } | LogLine;
    const lines = 'text' in parsed ? [parsed] : (parsed.lines ?? []);
    if (lines.length > 0) context.say(logText(lines, context));
  }
  if (signal.aborted) throw new RefusedError({ title: 'no longer following the log; the task goes on' });
}
