export * from './line.ts';
export * from './past-of.ts';
export * from './rule.ts';
export * from './summary.ts';
export * from './wake.ts';
