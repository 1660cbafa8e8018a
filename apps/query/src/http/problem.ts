import type { RefusalCode } from '@rondo/contracts';
import type { DagRunRow } from '@rondo/ports';

/** One thing that is wrong with a request: where, what was given, what is allowed. */
export interface Fault {
  readonly in: 'path' | 'query' | 'header' | 'body';
  /** The parameter, or the path of a field in the body: `selection.taskIds.0`. */
  readonly name: string;
  /** As it was given; left out where it could be a secret. */
  readonly value?: unknown;
  readonly message: string;
  readonly allowed?: string;
}

/** An expected "no", answered as RFC 9457 says. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;
  readonly title: string;
  readonly errors: readonly Fault[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    title: string,
    detail: string,
    more: { readonly errors?: readonly Fault[]; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail);
    this.status = status;
    this.title = title;
    this.errors = more.errors ?? [];
    this.headers = more.headers ?? {};
  }
}

export const notFound = (detail: string): HttpProblem => new HttpProblem(404, 'Not found', detail);
export const conflict = (detail: string): HttpProblem => new HttpProblem(409, 'Conflict', detail);

/** Refuses what an erased run had (I14). */
export function refuseErased({ dagId, runId, erasedAt }: DagRunRow, what: string): void {
  if (erasedAt === null) return;
  const when = new Date(erasedAt).toISOString();
  throw new HttpProblem(410, 'Erased', `run '${runId}' of DAG '${dagId}' was erased at ${when}: ${what} gone`);
}

export function invalid(errors: readonly Fault[]): HttpProblem {
  const detail = errors
    .map((fault) => `${fault.in === 'body' ? 'field' : `${fault.in} parameter`} '${fault.name}': ${fault.message}`)
    .join('; ');
  return new HttpProblem(400, 'Invalid request', detail, { errors });
}

/** How a scheduler's or the administration's refusal is answered. */
export function refused(refusal: { readonly code: RefusalCode; readonly message: string }): HttpProblem {
  const { code, message } = refusal;
  switch (code) {
    case 'not_found':
      return notFound(message);
    case 'conflict':
      return conflict(message);
    case 'invalid':
      return new HttpProblem(422, 'Not acceptable here', message);
    case 'forbidden':
      return new HttpProblem(403, 'Forbidden', message);
    case 'retired':
      return new HttpProblem(409, 'The DAG is retired', message);
    case 'quarantined':
      return new HttpProblem(409, 'The run is quarantined', message);
    case 'unavailable':
      return new HttpProblem(503, 'Unavailable', message, { headers: { 'Retry-After': '1' } });
  }
}
