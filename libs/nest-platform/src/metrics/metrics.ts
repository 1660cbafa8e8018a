/** Prometheus' text format. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number];
type Samples = number | readonly Sample[];

/** Upper bounds in seconds, from a write on a fast disk to a store that is in trouble. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** One that takes longer to tell itself is left out of an answer. */
const READ_MS = 2_000;

/**
 * What a service tells of itself. Names follow OpenMetrics: `rondo_…`, with the unit (`_seconds`, `_bytes`), and `_total` for what
 * only grows. What is known already is read when somebody asks; only what happens in between is counted as it happens.
 */
export class Metrics {
  readonly #families = new Map<string, () => Promise<string>>();

  gauge(name: string, help: string, read: () => Samples | Promise<Samples>): void {
    this.#family(name, 'gauge', help, async () => samplesText(name, await read()));
  }

  /** Something that only grows and is counted elsewhere. */
  total(name: string, help: string, read: () => Samples | Promise<Samples>): void {
    this.#family(name, 'counter', help, async () => samplesText(name, await read()));
  }

  /** Answers what counts. */
  counter(name: string, help: string): (by?: number) => void {
    let count = 0;
    this.total(name, help, () => count);
    return (by = 1) => {
      count += by;
    };
  }

  /** Answers what takes a time in seconds. */
  seconds(name: string, help: string): (value: number, labels?: Labels) => void {
    const series = new Map<string, Histogram>();
    this.#family(name, 'histogram', help, async () => Array.from(series.values(), (each) => each.text(name)).join(''));
    return (value, labels = {}) => {
      const key = labelsText(labels);
      let one = series.get(key);
      if (one === undefined) series.set(key, (one = new Histogram(labels)));
      one.take(value);
    };
  }

  /** What can be read now, in the order in which it was declared. */
  async text(): Promise<string> {
    const texts = await Promise.all(Array.from(this.#families.values(), (read) => orNothing(read)));
    return texts.join('');
  }

  #family(name: string, type: string, help: string, read: () => Promise<string>): void {
    if (this.#families.has(name)) throw new Error(`the metric ${name} is there twice`);
    this.#families.set(name, async () => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${await read()}`);
  }
}

/** A store that is away takes no other metric with it. */
async function orNothing(read: () => Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(''), READ_MS);
  });
  try {
    return await Promise.race([read().catch(() => ''), late]);
  } finally {
    clearTimeout(timer);
  }
}

class Histogram {
  readonly #labels: Labels;
  readonly #counts = SECONDS.map(() => 0);
  #count = 0;
  #sum = 0;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  take(value: number): void {
    this.#count++;
    this.#sum += value;
    const at = SECONDS.findIndex((bound) => value <= bound);
    if (at >= 0) this.#counts[at]!++;
  }

  text(name: string): string {
    let below = 0;
    const buckets = SECONDS.map((bound, at): Sample => {
      below += this.#counts[at]!;
      return [{ ...this.#labels, le: String(bound) }, below];
    });
    return (
      samplesText(`${name}_bucket`, [...buckets, [{ ...this.#labels, le: '+Inf' }, this.#count]]) +
      samplesText(`${name}_sum`, [[this.#labels, this.#sum]]) +
      samplesText(`${name}_count`, [[this.#labels, this.#count]])
    );
  }
}

function samplesText(name: string, samples: Samples): string {
  const all = typeof samples === 'number' ? [[{}, samples] as const] : samples;
  return all.map(([labels, value]) => `${name}${labelsText(labels)} ${value}\n`).join('');
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
