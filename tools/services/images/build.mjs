#!/usr/bin/env node
/**
 * Images of the engines for a machine that has a container engine and no registry of images: of Debian's packages and Kafka's
 * Maven artifacts, on an image `debian:bookworm-slim` that is there already, which `debootstrap` makes:
 *   debootstrap --variant=minbase bookworm ROOT && tar -C ROOT -c . | docker import - debian:bookworm-slim
 * They take the settings of the official ones. The event store's is the tests' own server, on Rondo's image (RONDO_IMAGE).
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jarsInto } from '../kafka.mjs';

const here = import.meta.dirname;

const run = (command, args) => {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) throw new Error(`${command} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit status ${status}`);
};

/** Where files that the image wants beside its Dockerfile come from. */
const images = {
  kafka: { tag: 'rondo-test/kafka', fill: (folder) => jarsInto(folder, ['kafka-tools']) },
  postgres: { tag: 'rondo-test/postgres', fill: () => undefined },
  eventstore: { tag: 'rondo-test/eventstore', fill: () => undefined },
};

const wanted = process.argv.slice(2);
for (const name of wanted)
  if (!Object.hasOwn(images, name)) throw new Error(`${name}: one of ${Object.keys(images).join(', ')} is wanted`);

for (const [name, { tag, fill }] of Object.entries(images)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const context = mkdtempSync(join(tmpdir(), 'rondo-image-'));
  try {
    cpSync(here, context, { recursive: true });
    fill(context);
    // The engine's own network may have no way out.
    const args = ['build', '--network', 'host', '--build-arg', `RONDO=${process.env.RONDO_IMAGE ?? 'rondo:local'}`];
    run('docker', [...args, '-f', join(context, `${name}.Dockerfile`), '-t', tag, context]);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}
