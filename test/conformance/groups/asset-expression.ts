import {
  allOf,
  anyOf,
  assetOf,
  evaluateAssets,
  normaliseUri,
  type AssetExpression,
  type AssetLeaf,
} from '@rondo/domain';
import { byPart, fields, Inexpressible, list, text, type Case, type Fields, type Finding } from '../case.ts';

export function assetExpression({ input, expected }: Case): Finding {
  const expression = (): AssetExpression => readExpression(text(input['expr'] ?? input['expression'], 'expr'));
  const named = (): Fields => {
    const asset = assetOf(input as { readonly name?: string; readonly uri?: string });
    return asset.ok ? { ...asset.value } : { error: asset.error };
  };
  const statuses = (value: unknown): boolean => evaluate(expression(), fields(value, 'status'), input);
  const uris = () => list(input['uris'] ?? [input['uri']], 'uris').map((uri) => normaliseUri(text(uri, 'uri')));
  const normalised = () => uris().map((uri) => (uri.ok ? uri.value.uri : uri.error));
  return byPart(expected, {
    all_rows_match: () =>
      list(input['table'], 'table').every((row) => {
        const [status, result] = list(row, 'row');
        return statuses(status) === result;
      }),
    results: () => list(input['table'], 'table').map((row) => statuses(Array.isArray(row) ? row[0] : row)),
    result: () => statuses(input['status'] ?? input['statuses'] ?? {}),
    structure: () => structureOf(expression()),
    normalised: (wanted) => (Array.isArray(wanted) ? normalised() : normalised()[0]),
    name: () => named()['name'],
    uri: () => named()['uri'],
    warning: (wanted) => {
      const warned = uris().some((uri) => uri.ok && uri.value.warning !== undefined);
      return typeof wanted === 'string' && warned ? wanted : warned;
    },
  });
}

function evaluate(expression: AssetExpression, status: Fields, input: Fields): boolean {
  return evaluateAssets(expression, (leaf) => {
    if (leaf.kind !== 'alias') return status[nameOf(leaf)] === true;
    return aliasNames(leaf.name, input).some((name) => status[name] === true);
  });
}

function aliasNames(alias: string, input: Fields): readonly string[] {
  const resolved = input['alias_resolves_to'] ?? input['aliases'] ?? [];
  const names = Array.isArray(resolved) ? resolved : list(fields(resolved, 'aliases')[alias] ?? [], alias);
  return names.map((name) => text(name, 'asset'));
}

function structureOf(expression: AssetExpression): unknown {
  if (expression.kind === 'all' || expression.kind === 'any')
    return { [expression.kind]: expression.of.map(structureOf) };
  return expression.kind === 'alias' ? { alias: expression.name } : nameOf(expression);
}

const nameOf = (leaf: AssetLeaf): string => (leaf.kind === 'uri' ? leaf.uri : leaf.name);

const OPERATORS = { '|': { strength: 1, join: anyOf }, '&': { strength: 2, join: allOf } } as const;

/** `a1 | a2 & (a3 | alias(x))`: both operators bind to the left, `&` before `|`. */
function readExpression(source: string): AssetExpression {
  const tokens = source.match(/[&|(),]|[^&|(),\s]+/g) ?? [];
  let at = 0;
  const expect = (wanted: string): void => {
    if (tokens[at++] !== wanted) throw new Inexpressible(`'${source}' has no '${wanted}' at token ${at}`);
  };
  const operand = (): AssetExpression => {
    const token = tokens[at++];
    if (token === undefined || /^[&|),]$/.test(token)) throw new Inexpressible(`'${source}' is no expression`);
    if (token !== '(' && tokens[at] !== '(') return { kind: 'asset', name: token, uri: token };
    if (token !== '(') at++;
    const parts = [joined(0)];
    while (tokens[at] === ',') {
      at++;
      parts.push(joined(0));
    }
    expect(')');
    return call(token, parts);
  };
  const joined = (least: number): AssetExpression => {
    let left = operand();
    for (;;) {
      const operator = OPERATORS[tokens[at] as '&' | '|'];
      if (operator === undefined || operator.strength < least) return left;
      at++;
      left = operator.join(left, joined(operator.strength + 1));
    }
  };
  const whole = joined(0);
  if (at < tokens.length) throw new Inexpressible(`'${source}' goes on after token ${at}`);
  return whole;
}

function call(name: string, parts: readonly AssetExpression[]): AssetExpression {
  const [first] = parts as [AssetExpression];
  switch (name.toLowerCase()) {
    case '(':
    case 'asset':
      return first;
    case 'alias':
    case 'assetalias':
      if (first.kind !== 'asset') throw new Inexpressible('an alias of an expression');
      return { kind: 'alias', name: first.name };
    case 'any':
    case 'assetany':
      return { kind: 'any', of: parts };
    case 'all':
    case 'assetall':
      return { kind: 'all', of: parts };
    default:
      throw new Inexpressible(`there is no function '${name}'`);
  }
}
