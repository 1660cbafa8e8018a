import { styleText } from 'node:util';

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** What a line is about, beside its message. */
export interface LogFields {
  readonly dag?: string;
  readonly run?: string;
  readonly task?: string;
  readonly attempt?: string;
  readonly [name: string]: unknown;
}

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log, every line of which has these fields. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  readonly service: string;
  readonly instance: string;
  readonly level: Level;
  /** `json`: one object a line; `text`: for a terminal. */
  readonly format: 'json' | 'text';
  /** Texts that no line may have. */
  readonly secrets?: readonly string[];
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

const COLOURS = { debug: 'gray', info: 'green', warn: 'yellow', error: 'red' } as const;
const MASK = '***';
/** Shorter ones would blot out half of what is said. */
const SHORTEST_SECRET = 4;

/** Structured lines: `time`, `level`, `service`, `instance`, `message`, then the fields. */
export function createLog(options: LogOptions): Log {
  const { secrets = [], now = () => new Date() } = options;
  const masked = secrets.filter((secret) => secret.length >= SHORTEST_SECRET);
  const least = LEVELS.indexOf(options.level);
  const hide = (text: string): string => masked.reduce((kept, secret) => kept.replaceAll(secret, MASK), text);
  const logWith = (shared: LogFields): Log => {
    const say =
      (level: Level) =>
      (message: string, fields: LogFields = {}): void => {
        if (LEVELS.indexOf(level) < least) return;
        const line = { time: now().toISOString(), level, message, fields: plain({ ...shared, ...fields }) };
        options.write(hide(options.format === 'json' ? jsonLine(options, line) : textLine(options, line)));
      };
    return {
      debug: say('debug'),
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
      with: (fields) => logWith({ ...shared, ...fields }),
    };
  };
  return logWith({});
}

interface Line {
  readonly time: string;
  readonly level: Level;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function jsonLine({ service, instance }: LogOptions, { time, level, message, fields }: Line): string {
  return `${JSON.stringify({ ...fields, time, level, service, instance, message })}\n`;
}

function textLine({ service }: LogOptions, { time, level, message, fields }: Line): string {
  const { stack, ...rest } = fields;
  const more = Object.entries(rest).map(
    ([name, value]) => ` ${styleText('gray', `${name}=`)}${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const trace = typeof stack === 'string' ? `\n${stack}` : '';
  return `${time.slice(11, 23)} ${styleText(COLOURS[level], level.padEnd(5))} ${service}: ${message}${more.join('')}${trace}\n`;
}

/** An error as its message and stack; nothing that is undefined. */
function plain(fields: LogFields): Readonly<Record<string, unknown>> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) {
      kept[name] = value.message;
      if (value.stack !== undefined) kept['stack'] = value.stack;
    } else if (typeof value === 'bigint') kept[name] = String(value);
    else if (value !== undefined) kept[name] = value;
  }
  return kept;
}
