import { Refusal, type ApiObject } from './objects.ts';

export type Matcher = (object: ApiObject) => boolean;

/** `a=b,c!=d,e in (f,g),h notin (i),j,!k`. */
export function labelMatcher(text: string): Matcher {
  const parts = text.match(/[^,(]+(\([^)]*\))?/g) ?? [];
  const tests = parts.map((part) => requirement(part.trim()));
  return ({ metadata }) => tests.every((test) => test(metadata.labels ?? {}));
}

function requirement(part: string): (labels: Readonly<Record<string, string>>) => boolean {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(part);
  if (set !== null) {
    const values = set[3]!.split(',').map((value) => value.trim());
    const isIn = set[2] === 'in';
    return (labels) => values.includes(labels[set[1]!] ?? '\0') === isIn;
  }
  const equal = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(part);
  if (equal !== null) return (labels) => (labels[equal[1]!] === equal[3]) === (equal[2] !== '!=');
  const exists = /^(!?)([A-Za-z0-9./_-]+)$/.exec(part);
  if (exists === null) throw new Refusal(400, 'BadRequest', `unable to parse requirement: ${part}`);
  return (labels) => (labels[exists[2]!] !== undefined) === (exists[1] === '');
}

/** Of a pod: `metadata.name`, `metadata.namespace`, `spec.nodeName`, `status.phase`. */
export function fieldMatcher(text: string): Matcher {
  const tests = text
    .split(',')
    .filter((part) => part !== '')
    .map((part): Matcher => {
      const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(part);
      if (match === null) throw new Refusal(400, 'BadRequest', `invalid field selector: ${part}`);
      const read = FIELDS[match[1]!];
      if (read === undefined) throw new Refusal(400, 'BadRequest', `field label not supported: ${match[1]}`);
      return (object) => (read(object) === match[3]) === (match[2] !== '!=');
    });
  return (object) => tests.every((test) => test(object));
}

const FIELDS: Readonly<Record<string, (object: ApiObject) => string>> = {
  'metadata.name': ({ metadata }) => metadata.name,
  'metadata.namespace': ({ metadata }) => metadata.namespace,
  'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
  'status.phase': ({ status }) => status?.phase ?? '',
};
