#!/usr/bin/env node
/**
 * Checks what stands in deploy/: the Dockerfile, the compose file, the chart with its defaults and with everything on (also
 * against the schemas of Kubernetes), and that services are given settings that they have,
 * and all that they want.
 * Ends with `N passed, N failed, N skipped`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

const rendered = (values, version) => {
  const args = ['template', 'rondo', chart, '--kube-version', `${version}.0`];
  return run(tools.helm(), [...args, ...values.flatMap((file) => ['--values', file])]);
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
    for (const name of variables) if (!known.has(name)) problems.push(`${service} has no setting ${name}`);
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
