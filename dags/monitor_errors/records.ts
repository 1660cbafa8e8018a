/** From the text of a log to its records: a record is a line with a head, and the lines that go on with it. */
import { isErrorLevel, LineReader, type LogLine } from './formats.ts';

export interface LogRecord extends LogLine {
  /** 1-based number of the record's first line in its file. */
  readonly line: number;
  /** The lines after the first: a stack trace, or the rest of a message. */
  readonly details: readonly string[];
}

/** An error of an application, as the pipeline passes it from step to step. */
export interface ErrorRecord extends LogRecord {
  readonly app: string;
}

const headless = (text: string): LogLine => ({
  format: 'none',
  time: null,
  level: null,
  component: null,
  message: text.trim(),
});

/** The records of a log. Lines before the first head are records without a level. `defaultYear` is for lines without one. */
export function* readRecords(log: string, defaultYear: number): Generator<LogRecord> {
  const reader = new LineReader(defaultYear);
  let open: { readonly head: LogLine; readonly line: number; readonly details: string[] } | undefined;
  let number = 0;
  for (const text of log.split(/\r?\n/)) {
    number += 1;
    const head = reader.read(text);
    const completed = head === undefined && open?.details.length === 0 ? reader.complete(open.head, text) : undefined;
    if (open !== undefined && completed !== undefined) {
      open = { ...open, head: completed };
    } else if (head !== undefined || open === undefined) {
      if (open !== undefined) yield { ...open.head, line: open.line, details: open.details };
      open =
        text.trim() === '' && head === undefined
          ? undefined
          : { head: head ?? headless(text), line: number, details: [] };
    } else {
      open.details.push(text);
    }
  }
  if (open !== undefined) yield { ...open.head, line: open.line, details: open.details };
}

/** Only the errors of a log, and how many records it has in all. */
export function errorsOf(
  app: string,
  text: string,
  defaultYear: number,
): { readonly records: number; readonly errors: readonly ErrorRecord[] } {
  const errors: ErrorRecord[] = [];
  let records = 0;
  for (const record of readRecords(text, defaultYear)) {
    records += 1;
    if (isErrorLevel(record.level)) errors.push({ app, ...record });
  }
  return { records, errors };
}
