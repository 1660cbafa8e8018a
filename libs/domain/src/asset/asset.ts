import { err, ok, type Result } from '@rondo/kernel';

/** A thing that tasks update and other DAGs wait for. Its name is its identity; the URI says where it is. */
export interface AssetRef {
  readonly name: string;
  readonly uri: string;
  /** Default `asset`. */
  readonly group?: string;
}

export const ASSET_NAME_LIMIT = 250;
export const ASSET_URI_LIMIT = 1_500;
const ASSET_NAME_RULE = `1 to ${ASSET_NAME_LIMIT} characters, not only spaces, none of them a control character`;

/** A name of an asset or an alias, or a group. */
export function validateAssetName(name: string): Result<string> {
  const isFine = name.length <= ASSET_NAME_LIMIT && name.trim() !== '' && !/\p{Cc}/u.test(name);
  return isFine
    ? ok(name)
    : err(`${JSON.stringify(name.slice(0, 300))} is not the name of an asset: ${ASSET_NAME_RULE}`);
}

export interface NormalisedUri {
  readonly uri: string;
  /** What was changed that the author ought to know. */
  readonly warning?: string;
}

const URI = /^([A-Za-z][A-Za-z0-9+.-]*):(\/\/[^/?#]*)?([^?#]*)(?:\?([^#]*))?(?:#.*)?$/s;
const RESERVED = new Set(['airflow', 'rondo']);

/**
 * The one spelling of a URI: scheme in lower case, no trailing slashes, no user with a password, the query sorted, no
 * fragment. A text without a scheme, and one whose scheme begins with `x-`, stays as it is.
 */
export function normaliseUri(text: string): Result<NormalisedUri> {
  if (text.length > ASSET_URI_LIMIT || text.trim() === '' || /\p{Cc}/u.test(text))
    return err(`${JSON.stringify(text.slice(0, 300))} is not the URI of an asset: 1 to ${ASSET_URI_LIMIT} characters`);
  const match = URI.exec(text);
  if (match === null) return ok({ uri: text });
  const [, scheme = '', authority, path = '', query] = match;
  const lower = scheme.toLowerCase();
  if (lower.startsWith('x-')) return ok({ uri: text });
  if (RESERVED.has(lower)) return err(`asset URI '${text}' has the scheme '${lower}', which is reserved`);
  const host = hostOf(authority);
  const rest = withoutTrailingSlashes(path);
  const search = query === undefined || query === '' ? '' : sortedQuery(query);
  const uri = `${lower}:${host.text}${host.text !== '' && !rest.startsWith('/') ? '/' : ''}${rest}${search}`;
  if (!host.hadPassword) return ok({ uri });
  const warning = `the URI of asset '${uri}' has a user with a password, which was left out; allowed: secrets in connections`;
  return ok({ uri, warning });
}

function hostOf(authority: string | undefined): { readonly text: string; readonly hadPassword: boolean } {
  if (authority === undefined) return { text: '', hadPassword: false };
  const at = authority.lastIndexOf('@');
  const hadPassword = at >= 0 && authority.slice(2, at).includes(':');
  return { text: hadPassword ? `//${authority.slice(at + 1)}` : authority, hadPassword };
}

function withoutTrailingSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end--;
  return path.slice(0, end) || '/';
}

function sortedQuery(query: string): string {
  const pairs = [...new URLSearchParams(query)].filter(([, value]) => value !== '');
  pairs.sort(([a, x], [b, y]) => compare(a, b) || compare(x, y));
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** An asset of a name, a URI or both. Where only one is given it is the other as well, in the URI's one spelling. */
export function assetOf(given: {
  readonly name?: string | undefined;
  readonly uri?: string | undefined;
  readonly group?: string | undefined;
}): Result<AssetRef & { readonly warning?: string }> {
  const { group } = given;
  const uri = given.uri ?? given.name;
  if (uri === undefined) return err('an asset has a name, a uri or both');
  const own = given.name === undefined ? undefined : validateAssetName(given.name);
  if (own?.ok === false) return own;
  const normalised = normaliseUri(uri);
  if (!normalised.ok) return normalised;
  // A name that is a URI must not drift apart from it, and must not keep its password.
  const only = uri.includes('://') ? normalised.value.uri : uri;
  const name = validateAssetName(given.name === undefined || given.uri === undefined ? only : given.name);
  if (!name.ok) return name;
  const grouped = group === undefined ? undefined : validateAssetName(group);
  if (grouped?.ok === false) return err(`group: ${grouped.error}`);
  return ok({ name: name.value, ...normalised.value, ...(group === undefined ? {} : { group }) });
}
