import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const root = join(import.meta.dirname, '../..');

/** Libraries of the separate services: the platform in one process starts without them. */
const OF_SERVICES = [
  '@grpc',
  'protobufjs',
  'kafkajs',
  'pg',
  '@eventstore',
  '@aws-sdk',
  '@kubernetes',
  '@opentelemetry',
];

it('the platform in one process loads nothing of what only the separate services need', async () => {
  // Within the checkout, so that its packages are found.
  const folder = await mkdtemp(join(root, 'node_modules/.cache-loaded-'));
  try {
    const file = join(folder, 'loaded.mjs');
    await writeFile(
      file,
      `import { registerHooks } from 'node:module';
       const packages = new Set();
       registerHooks({
         load(url, context, next) {
           packages.add(url.split('node_modules/').at(-1).split('/')[0]);
           return next(url, context);
         },
       });
       await import('@rondo/standalone');
       process.stdout.write(JSON.stringify([...packages]));`,
    );
    const child = spawn(process.execPath, ['--import', join(root, 'tools/nest-hook.mjs'), file], { cwd: root });
    const [out, log] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(log).toBe('');
    const packages = JSON.parse(out) as readonly string[];
    expect(packages).toContain('@nestjs');
    expect(packages.filter((name) => OF_SERVICES.includes(name))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
