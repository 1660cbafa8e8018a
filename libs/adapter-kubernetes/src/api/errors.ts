/** What the API refused, or (code 0) that it could not be reached. */
export class ApiError extends Error {
  /** HTTP status; 0: no answer. */
  readonly code: number;
  /** `AlreadyExists`, `Conflict`, `Expired` …; empty where the server gave none. */
  readonly reason: string;
  /** What the server asks to wait before the next try. */
  readonly retryAfterMs: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  /** The same call may succeed later. A time-out or a broken connection leaves open whether it has been done. */
  get isTransient(): boolean {
    return this.code === 0 || this.code === 429 || this.code >= 500;
  }

  get isNotFound(): boolean {
    return this.code === 404;
  }

  get isTaken(): boolean {
    return this.code === 409 && this.reason === 'AlreadyExists';
  }

  get isConflict(): boolean {
    return this.code === 409 && this.reason !== 'AlreadyExists';
  }

  /** The version that a list or watch began from is forgotten, or is of another history. */
  get isExpired(): boolean {
    return this.code === 410 || (this.code === 504 && this.message.includes('Too large resource version'));
  }

  get isQuota(): boolean {
    return this.code === 403 && this.message.includes('exceeded quota');
  }
}

/** From a `Status` object of the API. */
export function errorOfStatus(code: number, text: string, headers: Readonly<Record<string, string>> = {}): ApiError {
  let status: { readonly code?: number; readonly reason?: string; readonly message?: string } = {};
  try {
    status = JSON.parse(text) as typeof status;
  } catch {
    // A proxy in between answers in its own words.
  }
  const seconds = Number(headers['retry-after']);
  const message = status.message ?? (text.slice(0, 500) || `the API answered ${code}`);
  const retryAfterMs = headers['retry-after'] === undefined || Number.isNaN(seconds) ? undefined : seconds * 1_000;
  return new ApiError(status.code ?? code, status.reason ?? '', message, retryAfterMs);
}

export function apiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return new ApiError(0, '', `${error instanceof Error ? error.message : String(error)}${cause}`);
}
