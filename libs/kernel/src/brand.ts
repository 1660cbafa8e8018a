declare const brand: unique symbol;
/** A primitive with a name of its own, so that a run id is never passed where a task id is meant. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
