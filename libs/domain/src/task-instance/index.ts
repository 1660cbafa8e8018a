export * from './assignment.ts';
export * from './attempt.ts';
export * from './outcome.ts';
export * from './past-answers.ts';
export * from './state.ts';
export * from './wait.ts';
export * from './wait-text.ts';
