import type { Pool } from './pool.ts';

/** Events of `pool-{name}`. */
export type PoolEvent =
  | { readonly type: 'PoolSet'; readonly data: Pool }
  | { readonly type: 'PoolDeleted'; readonly data: { readonly name: string } };
