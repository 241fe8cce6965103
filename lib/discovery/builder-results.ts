import type { MapSummary } from './map-options.js';

/** Options without the name, which is an argument. */
export type Unnamed<T> = T extends unknown ? Omit<T, 'name'> : never;

/** What a wait adds to the context. */
export type NodeResult<N extends string, P, O> = 'complete' extends O
  ? { readonly [K in N]?: P }
  : { readonly [K in N]: P };

/** What a map adds to the context. With `collect`, an item that did not complete is null. */
export type MapResult<N extends string, V, L> = {
  readonly [P in N]: true extends L ? (V | null)[] : MapSummary;
};

/** What a child adds to the context. */
export type ChildResult<N extends string, C extends object, K> = {
  readonly [P in N]: [K] extends [never] ? C : C[K & keyof C];
};
