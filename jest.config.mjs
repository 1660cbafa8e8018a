import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { swcOptions } from './tools/swc.mjs';

const folders = ['libs', 'apps', 'test', 'tools', 'dags'].filter((name) => existsSync(join(import.meta.dirname, name)));

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: folders.map((name) => `<rootDir>/${name}`),
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    '/dist/',
    '<rootDir>/test/fixtures/',
    // They need a broker, a database or the like: npm run test:cluster.
    ...(process.env.RONDO_CLUSTER_TESTS === undefined ? ['\\.cluster\\.spec\\.ts$'] : []),
  ],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.rondo/', '<rootDir>/.nx/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'mjs', 'js', 'cjs', 'json', 'node'],
  transform: { '\\.ts$': ['@swc/jest', { ...swcOptions, sourceMaps: 'inline' }] },
  reporters: ['default', '<rootDir>/tools/jest-reporter.mjs'],
  // Property tests and tests that start a process share the cores with everything else: generous, and never asserted.
  testTimeout: 30_000,
  maxWorkers: '100%',
};
