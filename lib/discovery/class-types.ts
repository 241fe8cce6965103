import type { Observable } from 'rxjs';
import type { KeyOfAny, Simplify, ValueOfAny, Widened } from './context-types.js';
import type { JsonObject, TaskContext, TaskHandlerOf } from './task-context.js';

/** Every method that a task may be, whatever its context: `any`, for the reason given at {@link TaskMethod}. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyTaskHandler = TaskHandlerOf<any>;

/**
 * The names of the methods of a class's instances that may be tasks. Any name where the class is unknown: a decorator
 * that is made apart from its class, or composed with others.
 */
export type TaskMethodsOf<T> = object extends T
  ? string
  : { [K in keyof T]: T[K] extends AnyTaskHandler ? K : never }[keyof T] & string;

/**
 * The context of a class workflow: what its tasks say that they see, `TaskContext<C>`, all of it together. Where a task
 * has a plain `TaskContext`, there may be other keys; where no task says anything, any.
 */
export type ContextOfTasks<T> = 0 extends 1 & T ? JsonObject : JoinedBoxes<BoxedContextOf<T>>;

/** The same for what `start` takes: all of it optional, because tasks add to it. */
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

/** The union of what the class's methods take as `TaskContext<C>`, each boxed, so that unions within C stay whole. */
type BoxedContextOf<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => unknown ? BoxedContextOfParameters<A> : never;
}[keyof T];

type BoxedContextOfParameters<A> = A extends [infer First, ...unknown[]]
  ? // A parameter of type any tells nothing; it would match everything.
    0 extends 1 & First
    ? never
    : First extends TaskContext<infer C>
      ? { box: C }
      : never
  : never;

/** Boxes whose C has named keys only, and those which are open, such as JsonObject. */
type Closed<B> = B extends { box: infer C } ? (string extends keyof C ? never : C) : never;
type IsOpen<B> = B extends { box: infer C } ? (string extends keyof C ? true : never) : never;

type Intersection<U> = (U extends unknown ? (value: U) => void : never) extends (
  value: infer I,
) => void
  ? I
  : never;

/**
 * What a method's descriptor must be besides, so that its result fits the context of its class. Nothing where it does;
 * otherwise a handler with the result that would, which the compiler's message compares with.
 */
export type ResultFits<M, C> = [ResultOf<M>] extends [ResultIn<C, ResultOf<M>>]
  ? unknown
  : TypedPropertyDescriptor<(...args: never[]) => LikeReturnOf<M, ResultIn<C, ResultOf<M>>>>;

/** What the handler comes to: of a promise what it resolves to, of an Observable its values. */
type ResultOf<M> = M extends (...args: never[]) => infer R
  ? Awaited<R> extends infer V
    ? V extends Observable<infer O>
      ? O
      : V
    : never
  : never;

/** A promise of `V` where the method returns a promise: messages then tell of the keys alone. */
type LikeReturnOf<M, V> = M extends (...args: never[]) => PromiseLike<unknown> ? Promise<V> : V;

/**
 * The result with the types that the context has for its keys. A result that names no keys, such as JsonObject, is not
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

/** No value is one: it stands for a key that the context has not, so that the compiler's message says so. */
interface NotInContext<K> {
  readonly [NOT_IN_CONTEXT]: K;
}
declare const NOT_IN_CONTEXT: unique symbol;
