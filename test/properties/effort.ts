/** `RONDO_SEED` runs the same cases again; the titles of the suites name the seed. */
export const seed = Number(process.env['RONDO_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** How many times the usual number of cases; `RONDO_EFFORT`, default 1. */
export const effort = Number(process.env['RONDO_EFFORT'] ?? 1);
