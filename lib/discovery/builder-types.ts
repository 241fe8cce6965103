import type {
  ContextKey,
  KeyOfAny,
  NamedKey,
  Simplify,
  Stored,
  ValueOfAny,
} from './context-types.js';
import type { JsonObject, TaskResultObject } from './task-context.js';

/*
 * What the compiler knows of a workflow that is being built. Each task stands by itself, with flat unions of names in
 * place of what it was built on: types that are nested task in task are too deep for the compiler from 50 tasks on.
 */

/** What is known of one task. */
export interface TaskTypes<
  Adds extends object = object,
  Lineage extends string = string,
  Certain extends string = string,
  Keys extends string = string,
> {
  /** What it adds to the context. */
  readonly adds: Adds;
  /** Its name, and those of all tasks that come before it. */
  readonly lineage: Lineage;
  /** Those of them that have Completed wherever it has. */
  readonly certain: Certain;
  /** The keys that all of them add. */
  readonly keys: Keys;
}

/** Tasks by name. */
export type TasksByName = Readonly<Record<string, TaskTypes>>;

/**
 * A part of the types of a builder of which nothing is known, such as one in a variable of type `WorkflowBuilder`. It is
 * `any`, so that every builder fits into such a variable; the types below make `JsonObject` and `string` of it.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type Unknown = any;

type IsAny<T> = 0 extends 1 & T ? true : false;

/**
 * The context that a task sees: the declared one, with what the tasks before it add. What may be missing is optional;
 * where several of them set a key, each of their types is possible. `W` is the task's rule, `never` without one.
 */
export type SeenBy<C, T extends TasksByName, D extends string, W> =
  IsAny<T> extends true
    ? JsonObject
    : Overlay<C, AddedByTasks<T, T[D]['lineage'], CertainBefore<T, D, W>>>;

/** The keys that a rule may name: the declared ones, and those of all tasks before. */
export type RuleKeyOf<C, T extends TasksByName, D extends string> =
  IsAny<T> extends true ? string : ContextKey<C> | T[D]['keys'];

/** What a task may return: values that fit the declared context, and any other keys. */
export type ResultOfTask<C> =
  | (IsAny<C> extends true ? TaskResultObject : TaskResultObject & Partial<NamedPart<C>>)
  | void
  | undefined;

type NamedPart<C> = { readonly [K in NamedKey<C>]: C[K & keyof C] | undefined };

/**
 * The tasks with one more: its name, its dependencies, its rule or `never`, and its result. What is known of it is
 * inferred, so that the compiler works it out once. Before TypeScript 5.9, types that are only written down here are
 * worked out again at each use, in every later task: a chain of sixteen tasks took seconds, one of fifty had no end.
 */
export type WithTask<C, T extends TasksByName, N extends string, D extends string, W, V> =
  IsAny<T> extends true
    ? Unknown
    : [
          AddedBy<C, V>,
          N | T[D]['lineage'],
          N | CertainBefore<T, D, W>,
          NamedKeyOfAny<V> | T[D]['keys'],
        ] extends [
          infer Adds extends object,
          infer Lineage extends string,
          infer Certain extends string,
          infer Keys extends string,
        ]
      ? T & { readonly [K in N]: TaskTypes<Adds, Lineage, Certain, Keys> }
      : never;

/** The tasks that an execution may complete without: with a rule, or whose failure the rule handles. */
export type DoubtfulBy<N extends string, W> = [W] extends [never] ? never : N | HandledBy<W>;

/** The context of a completed execution: what tasks add that it may have completed without is optional. */
export type CompletedContext<C, T extends TasksByName, Doubtful extends string> =
  IsAny<T> extends true
    ? object
    : Overlay<
        C,
        AddedByTasks<
          T,
          keyof T & string,
          {
            [N in keyof T & string]: [T[N]['lineage'] & Doubtful] extends [never] ? N : never;
          }[keyof T & string]
        >
      >;

/** The tasks before a task that have Completed wherever it runs: all but for what its rule doesn't vouch for. */
type CertainBefore<T extends TasksByName, D extends string, W> = [W] extends [never]
  ? T[D]['certain']
  : T[D & SucceededBy<W>]['certain'];

/** What the tasks of some names add, of which the certain ones have Completed. */
type AddedByTasks<T extends TasksByName, Names extends string, Certain extends string> = [
  Names,
] extends [never]
  ? NoKeys
  : Joined<T[Certain]['adds'] | Optional<T[Exclude<Names, Certain>]['adds']>>;

type Optional<T> = T extends unknown ? Partial<T> : never;

/** The dependencies that have Completed wherever the rule holds. */
type SucceededBy<W> = W extends { kind: 'taskSucceeded'; task: infer N extends string }
  ? N
  : W extends { kind: 'all'; rules: readonly (infer R)[] }
    ? SucceededBy<R>
    : never;

/** The dependencies whose failure a task with the rule handles by completing. */
type HandledBy<W> = W extends { kind: 'taskFailed'; task: infer N extends string }
  ? N
  : W extends { kind: 'all' | 'any'; rules: readonly (infer R)[] }
    ? HandledBy<R>
    : never;

/**
 * What a result adds to a context. A key that is declared keeps its declared type, so that later tasks may set any
 * value of it, and is known to be there. Of another key, the type is what is read back.
 */
type AddedBy<C, V> = [NamedKeyOfAny<V>] extends [never]
  ? NoKeys
  : Simplify<
      { [K in CertainKey<V>]: TypeAfter<C, V, K> } & {
        [K in Exclude<NamedKeyOfAny<V>, CertainKey<V>>]?: TypeAfter<C, V, K>;
      }
    >;

type TypeAfter<C, V, K> = Exclude<
  K extends NamedKey<C> ? C[K & keyof C] : Stored<ValueOfAny<V, K>>,
  undefined
>;

type NamedKeyOfAny<V> = V extends object ? NamedKey<V> : never;

/** The keys that each member of the union has, with a value that is not undefined. */
type CertainKey<V> = {
  [K in NamedKeyOfAny<V>]: [V] extends [{ [P in K]: unknown }]
    ? undefined extends ValueOfAny<V, K>
      ? never
      : K
    : never;
}[NamedKeyOfAny<V>];

type RequiredKey<T> = { [K in keyof T]-?: T extends { [P in K]: unknown } ? K : never }[keyof T];
type RequiredKeyOfAny<T> = T extends unknown ? RequiredKey<T> : never;

/** The members of a union, joined as the contexts of several dependencies are: what one of them has is there. */
type Joined<T> = [T] extends [never]
  ? NoKeys
  : Simplify<
      { [K in RequiredKeyOfAny<T>]: Exclude<ValueOfAny<T, K>, undefined> } & {
        [K in Exclude<KeyOfAny<T>, RequiredKeyOfAny<T>>]?: ValueOfAny<T, K>;
      }
    >;

// oxlint-disable-next-line typescript/no-empty-object-type -- an object without keys, which others are joined with
type NoKeys = {};

/** Where a builder begins. */
export type NoTasks = NoKeys;

/** A context with what was added to it: an optional key may still be the one that was there before. */
type Overlay<Context, Added> = [keyof Added] extends [never]
  ? Context
  : Context extends unknown
    ? string extends keyof Context
      ? Simplify<Added & Context>
      : Simplify<
          Omit<Context, keyof Added> & {
            [K in keyof Added & (RequiredKey<Context> | RequiredKey<Added>)]: TypeIn<
              Context,
              Added,
              K
            >;
          } & {
            [K in Exclude<keyof Added, RequiredKey<Context> | RequiredKey<Added>>]?: TypeIn<
              Context,
              Added,
              K
            >;
          }
        >
    : never;

type TypeIn<Context, Added, K extends keyof Added> =
  K extends RequiredKey<Added>
    ? Added[K]
    : Exclude<Added[K], undefined> | (K extends keyof Context ? Context[K] : never);
