import type { Observable } from 'rxjs';
import type {
  ContextKey,
  JsonObject,
  KeyOfAny,
  Simplify,
  ValueOfAny,
  Widened,
} from './context-types.js';
import type { ItemContext } from './map-options.js';
import type { AnyMessage, MessagePayload, Node } from './node-options.js';
import type { TaskContext, TaskHandlerOf } from './task-context.js';

/** The methods that may be tasks, with any context. {@link TaskMethod} says why the context is `any`. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyTaskHandler = TaskHandlerOf<any>;

/**
 * The names of a class's instance methods that may be tasks or maps, and of its nodes. Any string if the class is unknown, as in a
 * decorator that is made outside the class or composed with others.
 */
export type TaskNamesOf<T> = object extends T
  ? string
  : {
      [K in keyof T]: T[K] extends AnyTaskHandler | AnyNode
        ? K
        : IsMap<T[K]> extends true
          ? K
          : never;
    }[keyof T] &
      string;

/** The names of a class's nodes and maps. Their values are in the context too. */
type NodeNamesOf<T> = object extends T
  ? never
  : { [K in keyof T]: T[K] extends AnyNode ? K : IsMap<T[K]> extends true ? K : never }[keyof T] &
      keyof T &
      string;

/** Whether a method's parameter is an ItemContext. */
type IsMap<M> = M extends (...args: infer A) => unknown
  ? A extends [infer First, ...unknown[]]
    ? // A parameter of type any would match everything.
      0 extends 1 & First
      ? false
      : // oxlint-disable-next-line typescript/no-explicit-any -- of any item and context
        First extends ItemContext<any, any>
        ? true
        : false
    : false
  : false;

/** The keys that the rules of a class may name: those of the context, and the names of nodes. */
export type RuleKeysOf<T> = ContextKey<ContextOfClass<T>> | NodeNamesOf<T>;

// oxlint-disable-next-line typescript/no-explicit-any -- a node of anything
type AnyNode = Node<any>;

/**
 * The context of a class workflow: the contexts `C` of all its tasks' `TaskContext<C>` together. A task with a plain
 * `TaskContext` allows other keys. If no task has a `C`, the context is a JsonObject.
 */
export type ContextOfTasks<T> = 0 extends 1 & T ? JsonObject : JoinedBoxes<BoxedContextOf<T>>;

/**
 * The context of a class workflow with the keys of its nodes, which no task has to declare. They are optional, because a
 * node may be skipped. A wait has the payload of its message. The type of a child's key depends on its `output`, so it is
 * unknown unless a task declares it.
 */
export type ContextOfClass<T> = [NodeNamesOf<T>] extends [never]
  ? ContextOfTasks<T>
  : Simplify<ContextOfTasks<T> & ContextOfNodes<T>>;

type ContextOfNodes<T> = {
  readonly [K in Exclude<NodeNamesOf<T>, SleepNamesOf<T>>]?: T[K] extends Node<infer M>
    ? M extends AnyMessage
      ? MessagePayload<M>
      : unknown
    : never;
};

/** The names of nodes that write nothing. */
type SleepNamesOf<T> = {
  [K in NodeNamesOf<T>]: T[K] extends Node<infer M> ? ([M] extends [void] ? K : never) : never;
}[NodeNamesOf<T>];

/** The input of a class workflow without a schema: the same keys, all optional because tasks add keys. */
export type InputOfTasks<T> = JoinedBoxes<BoxedContextOf<T>, true>;

type JoinedBoxes<B, IsPartial = false> = [B] extends [never]
  ? JsonObject
  : [Closed<B>] extends [never]
    ? JsonObject
    : [IsOpen<B>] extends [never]
      ? Joined<Closed<B>, IsPartial>
      : Joined<Closed<B>, IsPartial> & JsonObject;

type Joined<C, IsPartial> = IsPartial extends true
  ? Simplify<Partial<Intersection<C>>>
  : Simplify<Intersection<C>>;

/** The union of the methods' contexts `C`. Each is wrapped in a box, so that a union within `C` is not taken apart. */
type BoxedContextOf<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => unknown ? BoxedContextOfParameters<A> : never;
}[keyof T];

type BoxedContextOfParameters<A> = A extends [infer First, ...unknown[]]
  ? // A parameter of type any is left out, because it would match everything.
    0 extends 1 & First
    ? never
    : First extends TaskContext<infer C>
      ? { box: C }
      : First extends ItemContext<unknown, infer C>
        ? { box: C }
        : never
  : never;

/** The contexts with named keys only; IsOpen tells whether one has an index signature, such as JsonObject. */
type Closed<B> = B extends { box: infer C } ? (string extends keyof C ? never : C) : never;
type IsOpen<B> = B extends { box: infer C } ? (string extends keyof C ? true : never) : never;

type Intersection<U> = (U extends unknown ? (value: U) => void : never) extends (
  value: infer I,
) => void
  ? I
  : never;

/**
 * Checks that the result of a method fits the context of its class. If it fits, the type adds no constraint to the
 * descriptor. Otherwise it is a descriptor with a fitting result, with which the compiler's message compares the
 * method.
 */
export type ResultFits<M, C> = [ResultOf<M>] extends [ResultIn<C, ResultOf<M>>]
  ? unknown
  : TypedPropertyDescriptor<(...args: never[]) => LikeReturnOf<M, ResultIn<C, ResultOf<M>>>>;

/** The result type of a handler, without its promise or Observable. */
type ResultOf<M> = M extends (...args: never[]) => infer R
  ? Awaited<R> extends infer V
    ? V extends Observable<infer O>
      ? O
      : V
    : never
  : never;

/** `V`, or a promise of it if the method returns a promise, so that the compiler's message only mentions the keys. */
type LikeReturnOf<M, V> = M extends (...args: never[]) => PromiseLike<unknown> ? Promise<V> : V;

/**
 * The result type with the context's type for each key. A result without named keys, such as JsonObject, is not
 * checked.
 */
type ResultIn<C, V> = V extends object
  ? {
      [K in keyof V]: string extends K
        ? V[K]
        : K extends KeyOfAny<C>
          ? Widened<ValueOfAny<C, K>> | undefined
          : 0 extends 1 & V[K]
            ? never
            : NotInContext<K>;
    }
  : V;

/** A type without values, for a key that the context does not have. The compiler's message shows its name. */
interface NotInContext<K> {
  readonly [NOT_IN_CONTEXT]: K;
}
declare const NOT_IN_CONTEXT: unique symbol;
