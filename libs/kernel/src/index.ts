export * from './assert-never.ts';
export * from './brand.ts';
export * from './duration.ts';
export * from './fail-point.ts';
export * from './json.ts';
export * from './result.ts';
export * from './thread-limits.ts';
