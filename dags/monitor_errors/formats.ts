/**
 * The line formats that the pipeline reads, and what each line says: time, level, component, message.
 *
 * A format is one regular expression with named groups. Order matters: a narrow format stands before a wider one that
 * would also match its lines.
 */
import { isoTime, type TimeParts } from './times.ts';

export interface LogLine {
  readonly format: string;
  readonly time: string | null;
  /** In capitals, as the writer named it; null where the format carries no level. */
  readonly level: string | null;
  readonly component: string | null;
  readonly message: string;
}

const ERROR_LEVELS = ['ERROR', 'ERR', 'SEVERE', 'CRITICAL', 'CRIT', 'FATAL', 'ALERT', 'EMERG', 'EMERGENCY', 'PANIC'];
const OTHER_LEVELS = [
  'TRACE',
  'FINEST',
  'FINER',
  'FINE',
  'DEBUG',
  'CONFIG',
  'INFO',
  'NOTICE',
  'AUDIT',
  'WARN',
  'WARNING',
];
const SYSLOG_SEVERITIES = ['EMERG', 'ALERT', 'CRIT', 'ERR', 'WARNING', 'NOTICE', 'INFO', 'DEBUG'];

/** True for ERROR and everything worse. A line without a level is not an error, whatever its message says. */
export const isErrorLevel = (level: string | null): boolean => level !== null && ERROR_LEVELS.includes(level);

const capitals = [...ERROR_LEVELS, ...OTHER_LEVELS].sort((a, b) => b.length - a.length).join('|');
const anyCase = capitals.replaceAll(/[A-Z]/g, (letter) => `[${letter}${letter.toLowerCase()}]`);

const CLOCK = String.raw`(?<hour>\d\d?):(?<minute>\d\d):(?<second>\d\d)`;
const FRACTION = String.raw`(?:[.,](?<fraction>\d{1,9}))?`;
const ZONE = String.raw`(?: ?(?<zone>Z|[+-]\d\d:?\d\d))?`;
const ISO = String.raw`(?<year>\d{4})[-/](?<month>\d\d)[-/](?<day>\d\d)[T ]${CLOCK}${FRACTION}${ZONE}`;
/** `14-Mar-2026 07:43:06.380`, `14 Mar 2026 07:43:06,380`. */
const DAY_FIRST = String.raw`(?<day>\d{1,2})[- ](?<monthName>[A-Z][a-z]{2})[- ](?<year>\d{4}) ${CLOCK}${FRACTION}`;
const TIME = String.raw`\[?(?:${ISO}|${DAY_FIRST})\]?`;
const SYSLOG_DATE = String.raw`(?<monthName>[A-Z][a-z]{2}) +(?<day>\d{1,2}) ${CLOCK}${FRACTION}`;
const LEVEL = `(?<level>${capitals})`;
/** In brackets a level may be in small letters. */
const BRACKETED = String.raw`\[ *(?<level>${anyCase}) *\]`;
/** A thread or a place in the code, in brackets or braces. */
const THREAD = String.raw`(?:\[(?:[^[\]]|\[[^\]]*\])*\]|\{[^}]*\})`;
const NAME = String.raw`[\w.$@/-]+`;
/** What follows the level: perhaps a process id, a thread and a logger, then the message. */
const AFTER_LEVEL = String.raw`:?\s*(?:\d+ ---\s*)?(?:[-|]\s+)?(?:${THREAD}\s*:?\s*)?(?:-\s+)?(?:(?:in )?(?<component>${NAME})(?: ?:| -)\s)?(?<message>.*)`;

interface Format {
  readonly name: string;
  readonly pattern: RegExp;
  /** No time stamp: read only in files none of whose lines has one, because elsewhere such a line goes on a message. */
  readonly untimed?: boolean;
  /** The second line of a record whose first line has no message. */
  readonly secondLine?: RegExp;
}

const format = (name: string, pattern: string, more: Omit<Format, 'name' | 'pattern'> = {}): Format => ({
  name,
  pattern: new RegExp(`^${pattern}$`),
  ...more,
});

const FORMATS: readonly Format[] = [
  format(
    'apache-error',
    String.raw`\[(?:[A-Z][a-z]{2} )?(?<monthName>[A-Z][a-z]{2}) +(?<day>\d{1,2}) ${CLOCK}${FRACTION} (?<year>\d{4})\] ` +
      String.raw`(?:\[(?:(?<component>[\w-]*):)?(?<level>emerg|alert|crit|error|warn|notice|info|debug|trace[1-8])\] )?(?:\[pid [^\]]*\] )?(?<message>.*)`,
  ),
  format(
    'http-access',
    String.raw`\S+ \S+ \S+ \[(?<day>\d\d)/(?<monthName>[A-Z][a-z]{2})/(?<year>\d{4}):${CLOCK}${ZONE}\] (?<message>".*)`,
  ),
  format(
    'syslog-5424',
    String.raw`<(?<priority>\d{1,3})>1 ${ISO} \S+ (?<component>\S+) \S+ \S+ (?:-|(?:\[.*?\])+)(?: (?<message>.*))?`,
  ),
  format(
    'syslog',
    String.raw`(?:<(?<priority>\d{1,3})>)?${SYSLOG_DATE} \S+ (?:(?<component>[^\s:[]+)(?:\[\d+\])?: )?(?<message>.*)`,
  ),
  format(
    'jul',
    String.raw`(?<monthName>[A-Z][a-z]{2}) (?<day>\d{1,2}), (?<year>\d{4}) ${CLOCK} (?<half>[AaPp][Mm]) (?<component>[\w.$]+)(?: \S+)?`,
    {
      secondLine: new RegExp(`^${LEVEL}: (?<message>.*)$`),
    },
  ),
  format(
    'hdfs',
    String.raw`(?<year>\d\d)(?<month>\d\d)(?<day>\d\d) (?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d) \d+ ${LEVEL} (?<component>\S+): (?<message>.*)`,
  ),
  format(
    'spark',
    String.raw`(?<year>\d\d)/(?<month>\d\d)/(?<day>\d\d) ${CLOCK} ${LEVEL} (?<component>\S+): (?<message>.*)`,
  ),
  format(
    'health',
    String.raw`(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)-(?<hour>\d\d?):(?<minute>\d\d?):(?<second>\d\d?):(?<fraction>\d{1,3})\|(?<component>[^|]*)\|\d+\|(?<message>.*)`,
  ),
  format(
    'openstack',
    String.raw`(?:\S+ )?${ISO} \d+ ${LEVEL} (?<component>\S+) (?:\[(?:req-|-)[^\]]*\] )?(?<message>.*)`,
  ),
  format(
    'zookeeper',
    String.raw`${ISO} (?:\[myid:\d*\] )?- ${LEVEL} +\[.*?:?(?<component>[^:[\]@]+)@\d+\] - (?<message>.*)`,
  ),
  format('celery', String.raw`\[${ISO}: ${LEVEL}/(?<component>[^\]]+)\] (?<message>.*)`),
  format('python', String.raw`\[?${ISO}\]? [-:|] (?<component>${NAME}) [-:|] ${LEVEL} [-:|] (?<message>.*)`),
  format('level', String.raw`${TIME}[\s:|-]*(?:${THREAD}[\s:|-]*)?${LEVEL}\b${AFTER_LEVEL}`),
  format('level-in-brackets', String.raw`${TIME}[\s:|-]*(?:${THREAD}[\s:|-]*)?${BRACKETED}${AFTER_LEVEL}`),
  format('level-then-time', String.raw`${LEVEL}\s+(?:${THREAD}\s+)?${TIME}[\s:|-]*${AFTER_LEVEL}`),
  format('log4j-ttcc', String.raw`\d+ +${THREAD} +${LEVEL} +(?<component>${NAME})(?: [^-]*?)? - (?<message>.*)`),
  format('level-by-clock', String.raw`${CLOCK}[.,](?<fraction>\d{3}) (?:${THREAD}\s*)?${LEVEL}\b${AFTER_LEVEL}`),
  format('syslog-iso', String.raw`${ISO} [\w.-]+ (?<component>[^\s:[]+)(?:\[\d+\])?: (?<message>.*)`),
  format('time', String.raw`${TIME}[\s:|-]+(?<message>.*)`),
  format('python-basic', String.raw`${LEVEL}:(?<component>${NAME}):(?<message>.*)`, { untimed: true }),
  format('level-first', String.raw`(?:${LEVEL}:|\[(?<level>${anyCase})\]) (?<message>.*)`, { untimed: true }),
];

const levelOf = (parts: TimeParts): string | null => {
  if (parts.level !== undefined) return parts.level.toUpperCase();
  return parts.priority === undefined ? null : (SYSLOG_SEVERITIES[Number(parts.priority) % 8] ?? null);
};

const toLine = (name: string, parts: TimeParts, year: number): LogLine => ({
  format: name,
  time: isoTime(parts, year),
  level: levelOf(parts),
  component: parts.component === undefined || parts.component === '' ? null : parts.component,
  message: (parts.message ?? '').trim(),
});

/** Reads the lines of one file. */
export class LineReader {
  readonly #year: number;
  #timed = false;

  constructor(defaultYear: number) {
    this.#year = defaultYear;
  }

  /** What the line says; undefined for a line that begins no record (it belongs to the one before). */
  read(line: string): LogLine | undefined {
    for (const candidate of FORMATS) {
      if (candidate.untimed === true && this.#timed) continue;
      const match = candidate.pattern.exec(line);
      if (match === null) continue;
      this.#timed ||= candidate.untimed !== true;
      return toLine(candidate.name, match.groups ?? {}, this.#year);
    }
    return undefined;
  }

  /** The record that `first` becomes with its second line; undefined where the format has none or the line is not it. */
  complete(first: LogLine, second: string): LogLine | undefined {
    if (first.message !== '') return undefined;
    const groups = FORMATS.find((candidate) => candidate.name === first.format)?.secondLine?.exec(second)?.groups;
    if (groups === undefined) return undefined;
    return { ...first, level: groups.level ?? null, message: (groups.message ?? '').trim() };
  }
}
