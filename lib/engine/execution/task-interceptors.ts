import { Logger } from '@nestjs/common';
import { isObservable } from 'rxjs';
import type { TaskContext } from '../../discovery/task-context.js';
import type { TaskInterceptor } from '../../discovery/task-interceptor.js';
import { NotAllowedError } from '../../errors/index.js';
import { lastValue } from './last-value.js';

/** The task interceptors of one application. They are set after all providers are instantiated. */
export class TaskInterceptors {
  private readonly logger = new Logger('Cloacina');
  private readonly warned = new WeakSet<TaskInterceptor>();
  private chain: readonly TaskInterceptor[] = [];

  /** Sets the interceptors, outermost first. */
  use(chain: readonly TaskInterceptor[]): void {
    this.chain = chain;
  }

  /** Calls the handler within all interceptors, or directly if there are none. */
  around(context: TaskContext, handler: () => unknown): unknown {
    return this.chain.length === 0 ? handler() : this.from(0, context, handler);
  }

  private async from(
    index: number,
    context: TaskContext,
    handler: () => unknown,
  ): Promise<unknown> {
    const interceptor = this.chain[index];
    if (interceptor === undefined) return valueOf(handler(), context.signal);
    let called = false;
    let inner: unknown;
    const handle = async (): Promise<unknown> => {
      if (called) throw calledTwice();
      called = true;
      inner = await this.from(index + 1, context, handler);
      return inner;
    };
    const result = await valueOf(interceptor.intercept(context, { handle }), context.signal);
    if (result === undefined && inner !== undefined) this.warnOfDropped(interceptor, context);
    return result;
  }

  /** A forgotten `return` loses what tasks return, and nothing fails: dependents only miss a key. */
  private warnOfDropped(interceptor: TaskInterceptor, { workflow, taskName }: TaskContext): void {
    if (this.warned.has(interceptor)) return;
    this.warned.add(interceptor);
    this.logger.warn(
      `The task interceptor ${interceptor.constructor.name} returned undefined, so the result of task ${taskName} of ` +
        `${workflow} is dropped: return what next.handle() resolves to, or null to drop it.`,
    );
  }
}

function valueOf(returned: unknown, signal: AbortSignal): unknown {
  return isObservable(returned) ? lastValue(returned, signal) : returned;
}

function calledTwice(): NotAllowedError {
  return new NotAllowedError(
    'Calling next.handle() twice',
    'an attempt runs its handler once',
    'Throw an error instead: the task is retried as its options say.',
  );
}
