import { assertNever } from '@rondo/kernel';
import type { AssetRef } from './asset.ts';

/** What a DAG waits for: assets, aliases and URIs, joined by and (`all`) and or (`any`). Plain JSON. */
export type AssetExpression =
  | AssetLeaf
  | { readonly kind: 'all'; readonly of: readonly AssetExpression[] }
  | { readonly kind: 'any'; readonly of: readonly AssetExpression[] };

export type AssetLeaf =
  | ({ readonly kind: 'asset' } & AssetRef)
  /** Whatever assets tasks have updated through the alias. */
  | { readonly kind: 'alias'; readonly name: string }
  /** The assets that have this URI, whatever they are called. */
  | { readonly kind: 'uri'; readonly uri: string };

/** `left & right`. Only the left operand is flattened, as an operator that binds to the left does it. */
export const allOf = (left: AssetExpression, right: AssetExpression): AssetExpression => joined('all', left, right);

/** `left | right`, flattened as `allOf` is. */
export const anyOf = (left: AssetExpression, right: AssetExpression): AssetExpression => joined('any', left, right);

function joined(kind: 'all' | 'any', left: AssetExpression, right: AssetExpression): AssetExpression {
  return { kind, of: left.kind === kind ? [...left.of, right] : [left, right] };
}

/** Is the condition true? `isUpdated` says it of a leaf. */
export function evaluateAssets(expression: AssetExpression, isUpdated: (leaf: AssetLeaf) => boolean): boolean {
  switch (expression.kind) {
    case 'all':
      return expression.of.every((part) => evaluateAssets(part, isUpdated));
    case 'any':
      return expression.of.some((part) => evaluateAssets(part, isUpdated));
    case 'asset':
    case 'alias':
    case 'uri':
      return isUpdated(expression);
    default:
      return assertNever(expression, 'asset expression');
  }
}

/** Every leaf, in order; one that is named twice comes once. */
export function assetLeaves(expression: AssetExpression): readonly AssetLeaf[] {
  const found = new Map<string, AssetLeaf>();
  const walk = (at: AssetExpression): void => {
    if (at.kind === 'all' || at.kind === 'any') at.of.forEach(walk);
    else found.set(`${at.kind} ${leafName(at)}`, found.get(`${at.kind} ${leafName(at)}`) ?? at);
  };
  walk(expression);
  return [...found.values()];
}

export function leafName(leaf: AssetLeaf): string {
  return leaf.kind === 'uri' ? leaf.uri : leaf.name;
}
