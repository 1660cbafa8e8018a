export { Admission, type AdmissionStand, type Demand, type PoolLoad, type Service } from './admission.ts';
export type { Limit, LimitScope } from './limits.ts';
export type { PoolEvent } from './events.ts';
export { DEFAULT_POOL, INFINITE_SLOTS, poolUsage, poolWait, type Pool, type PoolUsage, type PoolWait } from './pool.ts';
