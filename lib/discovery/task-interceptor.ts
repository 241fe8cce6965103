import type { TaskContext } from './task-context.js';

/** The inside of a task interceptor: the next interceptor, or the handler. */
export interface TaskCallHandler {
  /**
   * Runs the next interceptor or the handler. Resolves to the result, which is the last value if the handler returned
   * an Observable. Rejects with the error that was thrown.
   *
   * @throws NotAllowedError at the second call
   */
  handle(): Promise<unknown>;
}

/**
 * Runs around every attempt of every task, as Nest's interceptors run around the methods of controllers. Use it for
 * spans, metrics, error reports or a CLS context. An interceptor is a provider; list its class in the option
 * `taskInterceptors` of `forRoot`, outermost first.
 *
 * Return what `next.handle()` resolves to: it becomes the task's result; `null` drops the result. An error that the interceptor throws is the
 * failure of the attempt. If `deferUntil` defers the task, or a wait such as `sleep` suspends it, `next.handle()`
 * rejects with an error that {@link isDeferral} or {@link isSuspension} recognizes; throw it again.
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
  /** Called once for each attempt. */
  intercept(context: TaskContext, next: TaskCallHandler): unknown;
}
