import type { AttemptRef } from '@rondo/domain';
import type { LogLine } from '@rondo/ports';

export interface WireLine {
  readonly at: number;
  readonly stream: string;
  readonly level: string;
  readonly text: string;
  readonly mark: string;
}

export interface LogChunk {
  readonly n: number;
  readonly attempt: AttemptRef;
  readonly lines: readonly WireLine[];
  readonly weight: number;
  readonly again: boolean;
}

export interface LogCredit {
  readonly n: number;
  readonly credit: number;
  readonly error: string;
}

/** Bytes that may be under way and not stored yet. */
export const LOG_WINDOW = 2 * 1024 * 1024;
const CHUNK = 256 * 1024;
/** Of a line beside its text. */
const OVERHEAD = 32;

/** The lines in chunks of about 256 KiB; a line is never cut. */
export function chunksOf(lines: readonly LogLine[]): { readonly lines: WireLine[]; readonly weight: number }[] {
  const chunks: { lines: WireLine[]; weight: number }[] = [];
  for (const { at, stream, level = '', text, mark = '' } of lines) {
    const weight = Buffer.byteLength(text) + OVERHEAD;
    let chunk = chunks.at(-1);
    if (chunk === undefined || chunk.weight + weight > CHUNK) chunks.push((chunk = { lines: [], weight: 0 }));
    chunk.lines.push({ at, stream, level, text, mark });
    chunk.weight += weight;
  }
  return chunks;
}

export function linesOf(lines: readonly WireLine[]): LogLine[] {
  return lines.map(({ at, stream, level, text, mark }) => ({
    at,
    stream: stream as LogLine['stream'],
    ...(level === '' ? {} : { level: level as NonNullable<LogLine['level']> }),
    text,
    ...(mark === '' ? {} : { mark }),
  }));
}
