/** One object type in messages and editors, instead of an intersection of many. */
export type Simplify<T> = { [K in keyof T]: T[K] };

/** The keys that a context's type names; an index signature, as {@link JsonObject} has, names none. */
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
 * The keys that a context's type allows. Where it has an index signature, any string is allowed, and editors still
 * suggest the named ones: a union with plain `string` would lose them.
 */
export type ContextKey<C> = keyof C &
  (string extends keyof C ? NamedKey<C> | (string & Record<never, never>) : string);

/** The keys of all members of a union. */
export type KeyOfAny<T> = T extends unknown ? keyof T : never;

/** What the members of a union have under a key, those that have it. */
export type ValueOfAny<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;

/**
 * What a task reads of a value that was stored: JSON. A Date comes back as its ISO string, an object with `toJSON` as
 * what that returns.
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
 * The type with `string` for its string literals and so on: what the compiler infers as the type of a method's result,
 * `{ state: string }` of `return { state: 'paid' }`.
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
