/** A template that could not be rendered. `message` names the field or template, the line and the reason. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  /** The reason alone. */
  readonly reason: string;
  /** 1-based line in the template. */
  readonly line: number | undefined;

  constructor(
    reason: string,
    place: { readonly line?: number | undefined; readonly template?: string; readonly field?: string } = {},
  ) {
    super(describe(reason, place));
    this.reason = reason;
    this.line = place.line;
  }

  /** The same refusal, in a line of the template unless it knows one already. */
  on(line: number | undefined): TemplateError {
    return this.line === undefined ? new TemplateError(this.reason, { line }) : this;
  }

  /** The same refusal, with the field and the template that it happened in. */
  at(place: { readonly template?: string; readonly field?: string }): TemplateError {
    return new TemplateError(this.reason, { ...place, line: this.line });
  }
}

function describe(
  reason: string,
  {
    line,
    template,
    field,
  }: { readonly line?: number | undefined; readonly template?: string; readonly field?: string },
): string {
  const where = [
    field === undefined ? undefined : `field ${field}`,
    template === undefined ? undefined : `template ${template}`,
    line === undefined ? undefined : `line ${line}`,
  ].filter((part) => part !== undefined);
  return where.length === 0 ? reason : `${where.join(', ')}: ${reason}`;
}

/** A template needs a value that must be fetched first. The renderer fetches it and renders again. */
export class PendingLookup extends Error {
  override readonly name = 'PendingLookup';
  readonly fetch: () => Promise<void>;

  constructor(what: string, fetch: () => Promise<void>) {
    super(`${what} has not been fetched`);
    this.fetch = fetch;
  }
}
