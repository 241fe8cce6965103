import { isObservable } from 'rxjs';
import type { TaskContext } from '../../discovery/task-context.js';
import type { TaskInterceptor } from '../../discovery/task-interceptor.js';
import { NotAllowedError } from '../../errors/index.js';
import { lastValue } from './last-value.js';

/** The task interceptors of one application. They are set after all providers are instantiated. */
export class TaskInterceptors {
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
    const handle = async (): Promise<unknown> => {
      if (called) throw calledTwice();
      called = true;
      return this.from(index + 1, context, handler);
    };
    return valueOf(interceptor.intercept(context, { handle }), context.signal);
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
