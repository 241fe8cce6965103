import type { TaskContext } from './task-context.js';

/** What an interceptor is around: the next interceptor, or the handler. */
export interface TaskCallHandler {
  /**
   * Runs it, once. Resolves to what the handler returned (of an Observable, the last value), and rejects with what it
   * threw.
   *
   * @throws NotAllowedError when it is called again
   */
  handle(): Promise<unknown>;
}

/**
 * Runs around every attempt of every task, as Nest's interceptors run around the methods of controllers: for spans,
 * metrics, error reports, a context of CLS. A provider; named in the option `taskInterceptors` of `forRoot`, outermost
 * first.
 *
 * What it returns is the task's result, so return what `next.handle()` resolved to. What it throws is the attempt's
 * failure. A task that `deferUntil` puts off rejects with an error that {@link isDeferral} knows: let it pass.
 *
 * @example
 * ```ts
 * @Injectable()
 * export class Spans implements TaskInterceptor {
 *   intercept(context: TaskContext, next: TaskCallHandler): Promise<unknown> {
 *     return this.tracer.span(`${context.workflow}.${context.taskName}`, () => next.handle());
 *   }
 * }
 * ```
 */
export interface TaskInterceptor {
  intercept(context: TaskContext, next: TaskCallHandler): unknown;
}
