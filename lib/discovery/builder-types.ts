import type {
  ContextKey,
  JsonObject,
  KeyOfAny,
  NamedKey,
  Simplify,
  Stored,
  ValueOfAny,
} from './context-types.js';
import type { TaskResultObject } from './task-context.js';

/*
 * The types of a workflow builder. Each task has its own entry, which refers to other tasks by flat unions of names.
 * Types that nest one task in another would be too deep for the compiler from 50 tasks on.
 */

/** The types of one task. */
export interface TaskTypes<
  Adds extends object = object,
  Lineage extends string = string,
  Certain extends string = string,
  Keys extends string = string,
> {
  /** The keys that the task adds to the context, with their types. */
  readonly adds: Adds;
  /** The names of the task and of all its ancestors. */
  readonly lineage: Lineage;
  /** The names in `lineage` whose tasks are Completed in every execution in which this task is. */
  readonly certain: Certain;
  /** The keys that the tasks in `lineage` add. */
  readonly keys: Keys;
}

/** Tasks by name. */
export type TasksByName = Readonly<Record<string, TaskTypes>>;

/**
 * Stands for unknown type arguments of a builder, as in a variable of type `WorkflowBuilder`. It is `any`, so that
 * every builder can be assigned to such a variable. The types below turn it into `JsonObject` and `string`.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type Unknown = any;

type IsAny<T> = 0 extends 1 & T ? true : false;

/**
 * The context that a task sees: the declared context, and the keys that the task's ancestors add. A key that may be
 * missing is optional. If several ancestors set a key, its type is the union of theirs. `W` is the task's rule, or
 * `never`.
 */
export type SeenBy<C, T extends TasksByName, D extends string, W> =
  IsAny<T> extends true
    ? JsonObject
    : Overlay<C, AddedByTasks<T, T[D]['lineage'], CertainBefore<T, D, W>>>;

/** The context keys that a rule may name: those of the declared context, and those that ancestors add. */
export type RuleKeyOf<C, T extends TasksByName, D extends string> =
  IsAny<T> extends true ? string : ContextKey<C> | T[D]['keys'];

/** The result that a task may return: declared keys need values of their types, other keys are free. */
export type ResultOfTask<C> =
  | (IsAny<C> extends true ? TaskResultObject : TaskResultObject & Partial<NamedPart<C>>)
  | void
  | undefined;

type NamedPart<C> = { readonly [K in NamedKey<C>]: C[K & keyof C] | undefined };

/**
 * The tasks and one more: name `N`, dependencies `D`, rule `W` (`never` without one), result `V`. Its types are
 * inferred, so that the compiler computes them once. Before TypeScript 5.9 it computes types that are only written
 * down again at each use, in every later task: a chain of 16 tasks took seconds, one of 50 did not end.
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

/**
 * The tasks that may not be Completed in a completed execution: one with a rule, and those whose failure it handles.
 */
export type DoubtfulBy<N extends string, W> = [W] extends [never] ? never : N | HandledBy<W>;

/** The context of a completed execution. Keys of tasks that may not have completed are optional. */
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

/**
 * The ancestors that are Completed whenever the task runs. A rule only guarantees this where it says `taskSucceeded`.
 */
type CertainBefore<T extends TasksByName, D extends string, W> = [W] extends [never]
  ? T[D]['certain']
  : T[D & SucceededBy<W>]['certain'];

/** The keys that the named tasks add. Only those of the certain tasks are required. */
type AddedByTasks<T extends TasksByName, Names extends string, Certain extends string> = [
  Names,
] extends [never]
  ? NoKeys
  : Joined<T[Certain]['adds'] | Optional<T[Exclude<Names, Certain>]['adds']>>;

type Optional<T> = T extends unknown ? Partial<T> : never;

/** The dependencies that are Completed whenever the rule is true. A rule that is chosen at run time guarantees none. */
type SucceededBy<W> =
  IsUnion<W> extends true
    ? never
    : W extends { kind: 'taskSucceeded'; task: infer N extends string }
      ? IsUnion<N> extends true
        ? never
        : N
      : W extends { kind: 'all'; rules: infer L extends readonly unknown[] }
        ? // A list of any length may be empty.
          number extends L['length']
          ? never
          : { [I in keyof L]: SucceededBy<L[I]> }[number]
        : never;

type IsUnion<T, Whole = T> = [T] extends [never]
  ? false
  : T extends unknown
    ? [Whole] extends [T]
      ? false
      : true
    : never;

/**
 * The dependencies whose failure a task with this rule may handle when it completes. `Whole` ends the recursion at a type
 * that contains itself, as `TriggerRule` does.
 */
type HandledBy<W, Whole = W> = W extends { kind: infer K; task: infer N extends string }
  ? 'taskFailed' extends K
    ? N
    : never
  : W extends { kind: infer K; rules: readonly (infer R)[] }
    ? [K] extends ['none']
      ? never
      : [R] extends [Whole]
        ? never
        : HandledBy<R>
    : never;

/**
 * The keys that a result adds to a context. A declared key keeps its declared type, because later tasks may set any
 * value of that type. Any other key has the type that is read back from JSON.
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

/** The keys that every member of a union has, with a value other than undefined. */
type CertainKey<V> = {
  [K in NamedKeyOfAny<V>]: [V] extends [{ [P in K]: unknown }]
    ? undefined extends ValueOfAny<V, K>
      ? never
      : K
    : never;
}[NamedKeyOfAny<V>];

type RequiredKey<T> = { [K in keyof T]-?: T extends { [P in K]: unknown } ? K : never }[keyof T];
type RequiredKeyOfAny<T> = T extends unknown ? RequiredKey<T> : never;

/** Joins the members of a union as contexts are joined: a key is required if at least one member requires it. */
type Joined<T> = [T] extends [never]
  ? NoKeys
  : Simplify<
      { [K in RequiredKeyOfAny<T>]: Exclude<ValueOfAny<T, K>, undefined> } & {
        [K in Exclude<KeyOfAny<T>, RequiredKeyOfAny<T>>]?: ValueOfAny<T, K>;
      }
    >;

// oxlint-disable-next-line typescript/no-empty-object-type -- an object without keys, to join others with
type NoKeys = {};

/** The tasks of a new builder. */
export type NoTasks = NoKeys;

/** A context and the keys that tasks added. An optional added key may still have the value that it had before. */
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
