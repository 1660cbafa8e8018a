#!/usr/bin/env node
/** `npx rondo ...` in a checkout: the command line, set up and run as `npm run rondo -- ...` does. */
process.argv.splice(2, 0, 'rondo');
await import('./bootstrap.mjs');
