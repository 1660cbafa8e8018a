const LITERAL: unique symbol = Symbol.for('rondo.literal');

/** A value that is no template, whatever it looks like. */
export interface Literal<out T = unknown> {
  readonly [LITERAL]: T;
}

/** Keeps a text, or all texts in a value, from being rendered: `literal('{{ for somebody else }}')`. */
export function literal<T>(value: T): Literal<T> {
  return { [LITERAL]: value };
}

export function isLiteral(value: unknown): value is Literal {
  return typeof value === 'object' && value !== null && LITERAL in value;
}

export const literalValue = <T>(value: Literal<T>): T => value[LITERAL];
