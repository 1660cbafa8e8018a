/** Ends every `switch` over a union: a variant that is not handled fails the type check, and at run time says which. */
export function assertNever(value: never, what = 'variant'): never {
  throw new Error(`unhandled ${what}: ${JSON.stringify(value)}`);
}
