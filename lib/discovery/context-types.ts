/** JSON values by top-level key: a context, or the keys that a task adds to it. */
export type JsonObject = Record<string, unknown>;

/** Makes one object type from an intersection, for readable messages and hovers. */
export type Simplify<T> = { [K in keyof T]: T[K] };

/** The named keys of a context's type, without index signatures such as that of {@link JsonObject}. */
export type NamedKey<C> = keyof {
  [
    K in keyof C as string extends K
      ? never
      : number extends K
        ? never
        : symbol extends K
          ? never
          : K
  ]: never;
} &
  string;

/**
 * The keys that a context's type allows. With an index signature, any string is allowed, and editors still suggest the
 * named keys: `Record<never, never>` keeps the union from collapsing to `string`.
 */
export type ContextKey<C> = keyof C &
  (string extends keyof C ? NamedKey<C> | (string & Record<never, never>) : string);

/** The keys of all members of a union. */
export type KeyOfAny<T> = T extends unknown ? keyof T : never;

/** The types of a key in those members of a union that have it. */
export type ValueOfAny<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;

/**
 * The type of a value after it was stored as JSON. A Date becomes its ISO string, and an object with `toJSON` the
 * result of that.
 */
export type Stored<T> = 0 extends 1 & T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends { toJSON(...parameters: never[]): infer J }
      ? Stored<J>
      : T extends object
        ? { [K in keyof T]: Stored<T[K]> }
        : T;

/**
 * The type with its literals widened, as the compiler infers the result of a method: `{ state: string }` for
 * `return { state: 'paid' }`.
 */
export type Widened<T> = 0 extends 1 & T
  ? T
  : T extends string
    ? string
    : T extends number
      ? number
      : T extends boolean
        ? boolean
        : T extends (...parameters: never[]) => unknown
          ? T
          : T extends object
            ? { [K in keyof T]: Widened<T[K]> }
            : T;
