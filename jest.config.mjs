import { existsSync } from 'node:fs';

/** The one transform for TypeScript under Jest: the same decorators and metadata as tools/nest-hook.mjs gives a running app. */
const swc = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'es6' },
  jsc: {
    target: 'es2024',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, verbatimModuleSyntax: true },
    keepClassNames: true,
  },
};

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['libs', 'apps', 'test', 'tools', 'dags'].filter((folder) => existsSync(folder)).map((folder) => `<rootDir>/${folder}`),
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '<rootDir>/test/fixtures/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.rondo/', '<rootDir>/.nx/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'mjs', 'js', 'cjs', 'json', 'node'],
  transform: { '\\.ts$': ['@swc/jest', swc] },
  // Property tests and tests that start a process share the cores with everything else: generous, and never asserted.
  testTimeout: 30_000,
  maxWorkers: '100%',
};
