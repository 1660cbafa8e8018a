import { assertNever } from '@rondo/kernel';
import type { AssetExpression } from './condition.ts';

/** `orders & (prices | alias(latest))`: the condition as people read it. */
export function describeAssets(expression: AssetExpression, inner = false): string {
  switch (expression.kind) {
    case 'asset':
      return expression.name;
    case 'alias':
      return `alias(${expression.name})`;
    case 'uri':
      return expression.uri;
    case 'all':
    case 'any': {
      const operator = expression.kind === 'all' ? ' & ' : ' | ';
      const text = expression.of.map((part) => describeAssets(part, true)).join(operator);
      return inner && expression.of.length > 1 ? `(${text})` : text;
    }
    default:
      return assertNever(expression, 'asset expression');
  }
}
