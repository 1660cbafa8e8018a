/** An oxlint plugin for the rules that keep the architecture: import arrows, a pure domain, syntax that Node can run. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { arrows, closed, impure, nest } from './arrows.mjs';

const root = resolve(import.meta.dirname, '../..');
const readManifest = (folder) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));

const describePackage = (folder) => {
  const { name, nx, dependencies = {}, devDependencies = {} } = readManifest(folder);
  const tag = nx?.tags?.find((each) => each in arrows);
  return { folder, name, tag, dependencies, devDependencies };
};

const packages = ['libs', 'apps']
  .flatMap((kind) => readdirSync(join(root, kind)).map((name) => `${kind}/${name}`))
  .filter((folder) => existsSync(join(root, folder, 'package.json')))
  .map(describePackage);
const packageByName = new Map(packages.map((each) => [each.name, each]));
const outside = readManifest('.');
const dags = { folder: 'dags', name: 'dags', tag: 'dags', dependencies: null, devDependencies: {} };

/** The package a file belongs to; undefined for `test/` and `tools/`, which may import anything. */
const ownerOf = (file) => [...packages, dags].find(({ folder }) => file.startsWith(`${folder}/`));

/** `@scope/name` or `name`, without the path inside the package. */
const packageNameOf = (specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;

const checkWorkspace = (owner, target, isSpec) => {
  if (target === owner || (isSpec && target.tag === 'lib:testing')) return undefined;
  if (!arrows[owner.tag].includes(target.tag)) {
    const allowed = arrows[owner.tag].join(', ') || 'nothing';
    return `${owner.folder} (${owner.tag}) must not import ${target.name} (${target.tag}); allowed: ${allowed}`;
  }
  const declared =
    owner.dependencies === null || target.name in { ...owner.dependencies, ...(isSpec && owner.devDependencies) };
  return declared ? undefined : `${target.name} is not among the dependencies of ${owner.folder}/package.json`;
};

const checkOutside = (owner, specifier, isSpec) => {
  const name = packageNameOf(specifier);
  if (name.startsWith('@nestjs') && !nest.includes(owner.tag)) {
    return `${owner.folder} (${owner.tag}) must not import ${name}; NestJS stands only in apps and libs/nest-platform`;
  }
  if (isSpec) return undefined;
  const libraries = closed[owner.tag];
  if (libraries && !libraries.includes(name)) {
    const allowed = libraries.join(', ') || 'none';
    return `${owner.folder} (${owner.tag}) must not import ${specifier}; nothing of Node, and of libraries: ${allowed}`;
  }
  const declared = isBuiltin(specifier) || name in { ...outside.dependencies, ...owner.dependencies };
  return declared ? undefined : `${name} is not among the dependencies of ${owner.folder}/package.json or of the root`;
};

/** Why `file` (relative to the root) must not import `specifier`; undefined where it may. */
const checkImport = (file, specifier) => {
  const owner = ownerOf(file);
  if (owner === undefined) return undefined;
  if (owner.tag === undefined) return `${owner.folder}/package.json has no known tag in nx.tags`;
  const isSpec = file.endsWith('.spec.ts');
  if (/^[./]|^file:/.test(specifier)) {
    const path = relative(root, resolve(root, dirname(file), specifier));
    return path.startsWith(`${owner.folder}/`)
      ? undefined
      : `${specifier} leaves ${owner.folder}; import a package by name`;
  }
  const target = packageByName.get(packageNameOf(specifier));
  if (target) return checkWorkspace(owner, target, isSpec);
  if (specifier.startsWith('@rondo/')) return `${specifier} is no package of this workspace`;
  return checkOutside(owner, specifier, isSpec);
};

const fileOf = (context) => relative(root, context.filename);

/** The text of a literal or of a template without holes; undefined for what only the run can know. */
const textOf = (node) => {
  if (typeof node?.value === 'string') return node.value;
  return node?.type === 'TemplateLiteral' && node.quasis.length === 1 ? node.quasis[0].value.cooked : undefined;
};

const boundaries = {
  create(context) {
    const file = fileOf(context);
    const check = (node, source) => {
      const specifier = textOf(source?.type === 'TSLiteralType' ? source.literal : source);
      const message = specifier === undefined ? undefined : checkImport(file, specifier);
      if (message) context.report({ node, message });
    };
    const bySource = (node) => check(node, node.source);
    return {
      ImportDeclaration: bySource,
      ExportNamedDeclaration: bySource,
      ExportAllDeclaration: bySource,
      ImportExpression: bySource,
      TSImportType: (node) => check(node, node.source ?? node.argument),
      TSExternalModuleReference: (node) => check(node, node.expression),
      CallExpression(node) {
        if (node.callee.type === 'Identifier' && node.callee.name === 'require') check(node, node.arguments[0]);
      },
    };
  },
};

const isMember = (node, object, property) =>
  node.type === 'MemberExpression' &&
  node.object.name === object &&
  (node.property.name ?? node.property.value) === property;

const pureDomain = {
  create(context) {
    const file = fileOf(context);
    if (!file.startsWith('libs/domain/src/') || file.endsWith('.spec.ts')) return {};
    const report = (node, what) =>
      context.report({ node, message: `the domain is pure: ${what} must come in as data, from the caller` });
    const reportAsync = (node) => node.async && report(node, 'the outcome of an async function');
    const isNamePart = (node) =>
      (node.parent.type === 'MemberExpression' && node.parent.property === node && !node.parent.computed) ||
      (node.parent.key === node && !node.parent.computed && !node.parent.shorthand);
    return {
      FunctionDeclaration: reportAsync,
      FunctionExpression: reportAsync,
      ArrowFunctionExpression: reportAsync,
      AwaitExpression: (node) => report(node, 'an awaited value'),
      NewExpression: (node) =>
        node.callee.name === 'Date' && node.arguments.length === 0 && report(node, 'the current time (new Date())'),
      CallExpression: (node) => node.callee.name === 'Date' && report(node, 'the current time (Date())'),
      MemberExpression(node) {
        if (isMember(node, 'Date', 'now')) report(node, 'the current time (Date.now)');
        if (isMember(node, 'Math', 'random')) report(node, 'randomness (Math.random)');
      },
      Identifier: (node) => impure.has(node.name) && !isNamePart(node) && report(node, `what ${node.name} gives`),
    };
  },
};

/** Node strips the types of everything but Nest code, so that specs, which are transformed, must not hide what it refuses. */
const erasable = {
  create(context) {
    const owner = ownerOf(fileOf(context));
    if (owner && nest.includes(owner.tag)) return {};
    const report = (node, what) =>
      context.report({ node, message: `${what} cannot be erased; it may stand only in apps and libs/nest-platform` });
    return {
      TSEnumDeclaration: (node) => !node.declare && report(node, 'an enum'),
      TSModuleDeclaration: (node) => !node.declare && report(node, 'a namespace'),
      TSParameterProperty: (node) => report(node, 'a parameter property'),
      TSImportEqualsDeclaration: (node) => node.importKind !== 'type' && report(node, 'import ='),
      Decorator: (node) => report(node, 'a decorator'),
    };
  },
};

export default { meta: { name: 'rondo' }, rules: { boundaries, erasable, 'pure-domain': pureDomain } };
