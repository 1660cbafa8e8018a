/** The import arrows of the workspace, by Nx tag: what a package of each kind may import from the others. */
const CORE = ['lib:domain', 'lib:kernel'];
const LIBS = ['lib:application', 'lib:projections', 'lib:contracts', 'lib:adapter', 'lib:nest-platform', 'lib:sdk'];

export const arrows = {
  'lib:kernel': [],
  'lib:domain': ['lib:kernel'],
  'lib:contracts': CORE,
  'lib:ports': CORE,
  'lib:application': ['lib:ports', 'lib:contracts', ...CORE],
  'lib:projections': ['lib:ports', ...CORE],
  'lib:sdk': CORE,
  'lib:operators': ['lib:sdk', 'lib:kernel'],
  'lib:read-models': ['lib:ports', ...CORE],
  'lib:adapter': ['lib:ports', 'lib:read-models', 'lib:contracts', ...CORE],
  'lib:nest-platform': ['lib:ports', 'lib:kernel'],
  'lib:service-kit': [...LIBS, 'lib:ports', ...CORE],
  'lib:testing': ['lib:application', 'lib:projections', 'lib:contracts', 'lib:sdk', 'lib:ports', ...CORE],
  'app:service': [...LIBS, 'lib:service-kit', 'lib:operators', 'lib:ports', ...CORE],
  'app:standalone': [...LIBS, 'lib:operators', 'lib:ports', ...CORE, 'app:service'],
  'app:cli': [...LIBS, 'lib:operators', 'lib:ports', ...CORE],
  // Not a package: the example DAG files, which see what any author sees.
  dags: ['lib:sdk', 'lib:operators'],
};

/** Packages with nothing of Node, and only the libraries named here: pure ones, which neither read a clock nor do I/O. */
export const closed = { 'lib:kernel': [], 'lib:domain': ['cron-parser', 'cronstrue'] };

/** Packages that may carry NestJS. */
export const nest = ['lib:nest-platform', 'app:service', 'app:standalone', 'app:cli'];

/** What the pure core must not name: time, randomness and promises come in as data. */
export const impure = new Set(
  'Promise process performance crypto fetch queueMicrotask setTimeout setInterval setImmediate globalThis console'.split(
    ' ',
  ),
);
