#!/usr/bin/env node
/**
 * Checks what stands in deploy/: the Dockerfile, the compose file, the chart with its defaults, with everything on, and with each
 * of its switches the other way (also against the schemas of Kubernetes), and that services are given settings that they have,
 * and all that they want.
 * Ends with `N passed, N failed, N skipped`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { run, tools } from './toolbox.mjs';

const root = join(import.meta.dirname, '..', '..');
const chart = join(root, 'deploy/helm/rondo');
const KUBERNETES = ['1.29', '1.34'];
const SECRETS = { RONDO_SECRET_KEY: 'eA==', RONDO_API_TOKEN: 'token' };
/** Resources of operators whose schemas Kubernetes does not have. */
const FOREIGN = ['keda.sh/', 'monitoring.coreos.com/'];

const composed = () => {
  const env = { ...process.env, ...SECRETS };
  const file = join(root, 'deploy/compose.yaml');
  return parse(run(tools.compose(), ['-f', file, 'config'], { env }));
};

const rendered = (values, version, set = []) => {
  const args = [
    'template',
    'rondo',
    chart,
    '--kube-version',
    `${version}.0`,
    ...set.flatMap((each) => ['--set', each]),
  ];
  return run(tools.helm(), [...args, ...values.flatMap((file) => ['--values', file])]);
};

/** The chart's switches with what they are by default, as `a.b.c`. */
const switchesOf = (values, path = []) =>
  Object.entries(values ?? {}).flatMap(([key, value]) => {
    if (typeof value === 'boolean') return [[[...path, key].join('.'), value]];
    return typeof value === 'object' && !Array.isArray(value) ? switchesOf(value, [...path, key]) : [];
  });

/** Each switch on where all others are off or as they are, and off where all others are on. */
const flipped = () => {
  const newest = KUBERNETES.at(-1);
  const switches = switchesOf(parse(readFileSync(join(chart, 'values.yaml'), 'utf8')));
  if (switches.length < 8) throw new Error(`the chart has ${switches.length} switches only`);
  const secrets = ['tls.gatewaySecret=gateway-tls', 'tls.workerSecret=worker-tls'];
  const manifests = switches.flatMap(([name, isOn]) => [
    rendered([], newest, [...secrets, `${name}=${!isOn}`]),
    rendered(VARIANTS['everything on'], newest, [`${name}=false`]),
  ]);
  const off = switches.map(([name]) => `${name}=false`);
  validate([...manifests, rendered([], newest, off)].join('\n---\n'), newest);
};

const VARIANTS = { 'its defaults': [], 'everything on': [join(chart, 'ci/everything.yaml')] };

const checks = {
  'the Dockerfile': () => run(tools.hadolint(), [join(root, 'deploy/Dockerfile')]),
  'the compose file': () => composed(),
  ...Object.fromEntries(
    Object.entries(VARIANTS).map(([name, values]) => [
      `the chart with ${name}`,
      () => {
        const args = ['lint', '--strict', '--kube-version', `${KUBERNETES.at(-1)}.0`, chart];
        run(tools.helm(), [...args, ...values.flatMap((file) => ['--values', file])]);
        for (const version of KUBERNETES) validate(rendered(values, version), version);
      },
    ]),
  ),
  'the chart with each switch the other way': flipped,
  'settings that services have': () => checkSettings(),
};

const validate = (manifests, version) => {
  const own = parseAllDocuments(manifests).filter((doc) => {
    const api = doc.get('apiVersion');
    return typeof api === 'string' && !FOREIGN.some((prefix) => api.startsWith(prefix));
  });
  if (own.length < 10) throw new Error(`the chart renders ${own.length} resources only`);
  const folder = mkdtempSync(join(tmpdir(), 'rondo-chart-'));
  try {
    const file = join(folder, 'chart.yaml');
    writeFileSync(file, own.map((doc) => String(doc)).join('---\n'));
    run(tools.kubernetesValidate(), ['--kubernetes-version', version, '--strict', file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** What each service is given by the compose file and by the chart: pairs of a service and names of variables. */
const given = () => {
  const pairs = [];
  const add = (service, variables) => {
    pairs.push([service, new Set(variables.filter((name) => name.startsWith('RONDO_')))]);
  };
  for (const { command, environment } of Object.values(composed().services))
    if (environment !== null && environment !== undefined && 'RONDO_SERVICE_HEALTH' in environment)
      add(command[0], Object.keys(environment));
  for (const values of Object.values(VARIANTS))
    for (const doc of parseAllDocuments(rendered(values, KUBERNETES.at(-1)))) {
      const containers = doc.toJS()?.spec?.template?.spec?.containers ?? [];
      for (const { args, env } of containers)
        add(
          args[0],
          env.map(({ name }) => name),
        );
    }
  return pairs;
};

const helps = new Map();
const helpOf = (service) => {
  if (!helps.has(service)) {
    const main = join(root, 'apps', service, 'src/main.ts');
    helps.set(service, run(process.execPath, ['--import', join(root, 'tools/nest-hook.mjs'), main, '--help']));
  }
  return helps.get(service);
};

const checkSettings = () => {
  const problems = [];
  for (const [service, variables] of given()) {
    const help = helpOf(service);
    const known = new Set([...(help.match(/RONDO_[A-Z0-9_]+/g) ?? []), 'RONDO_CONFIG']);
    // What the example DAG files read is no setting.
    for (const name of variables)
      if (!known.has(name) && !name.startsWith('RONDO_EXAMPLE_')) problems.push(`${service} has no setting ${name}`);
    for (const [, name] of help.matchAll(/^ {2}\w+ {3}(RONDO_[A-Z0-9_]+).*\n.*\n.*Default: wanted\.$/gm))
      if (!variables.has(name)) problems.push(`${service} is not given ${name}`);
  }
  if (problems.length > 0) throw new Error([...new Set(problems)].join('\n'));
};

let [passed, failed] = [0, 0];
for (const [name, check] of Object.entries(checks)) {
  try {
    check();
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.message : String(error)}`);
  }
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed === 0 ? 0 : 1;
