import { createHash } from 'node:crypto';
import { HttpProblem } from './problem.ts';

interface Remembered {
  readonly fingerprint: string;
  readonly answer: Promise<unknown>;
}

const MAX_KEY = 200;

/** Answers of POSTs by their Idempotency-Key: a repeat gets the answer of the first, which runs once. The oldest are forgotten. */
export class RememberedAnswers {
  private readonly answers = new Map<string, Remembered>();
  private readonly capacity: number;

  constructor(capacity = 10_000) {
    this.capacity = capacity;
  }

  /** `scope`: who asks for what; the same key in another scope is another. Refusals are remembered, failures are not. */
  once(key: string, scope: string, request: unknown, run: () => Promise<unknown>): Promise<unknown> {
    if (key === '' || key.length > MAX_KEY)
      throw new HttpProblem(
        400,
        'Invalid request',
        `header 'Idempotency-Key' has ${key.length} characters: 1 to ${MAX_KEY} are allowed`,
      );
    const name = `${scope}\n${key}`;
    const fingerprint = createHash('sha256')
      .update(JSON.stringify(request) ?? '')
      .digest('base64url');
    const known = this.answers.get(name);
    if (known !== undefined) {
      if (known.fingerprint === fingerprint) return known.answer;
      throw new HttpProblem(
        422,
        'Key used before',
        `Idempotency-Key '${key}' was used for another request to ${scope}`,
      );
    }
    const answer = run();
    this.answers.set(name, { fingerprint, answer });
    answer.catch((error: unknown) => {
      if (!(error instanceof HttpProblem) || error.status >= 500) this.answers.delete(name);
    });
    if (this.answers.size > this.capacity) this.answers.delete(this.answers.keys().next().value!);
    return answer;
  }
}
