import type { CompletionWait } from '../engine/completion/completion-wait.js';
import type { CompletionWaiters } from '../engine/completion/completion-waiters.js';
import type { StartFacts } from '../engine/memory/execution-cache.js';
import { UnknownExecutionError } from '../errors/index.js';
import { isExecutionEnded } from '../workflow/index.js';
import type { ExecutionResult } from './execution.js';
import type { ExecutionReader } from './execution-reader.js';
import { asResult } from './execution-view.js';
import { viewKnownEnd } from './known-end-view.js';

export interface EndedExecutionsParts {
  readonly tenant: string;
  readonly waiters: Pick<CompletionWaiters, 'wait' | 'expect'>;
  readonly reader: Pick<ExecutionReader, 'get'>;
}

/**
 * Gives ended executions to callers that wait for them. An end that this process recorded is answered from memory,
 * without another statement. An end that another process recorded is read, for all waiting callers in one statement.
 */
export class EndedExecutions {
  constructor(private readonly parts: EndedExecutionsParts) {}

  /** Waits for an execution that exists. */
  wait(id: string): CompletionWait {
    return this.parts.waiters.wait(id);
  }

  /** Waits for an execution that is about to be started. Call `stored()` of the wait after the reply to the start. */
  expect(id: string, start: StartFacts): CompletionWait {
    return this.parts.waiters.expect(id, start);
  }

  /**
   * The result of the execution after its end, as an object of its own for each caller. A read may come after a manual retry of the execution; then the next end is awaited.
   *
   * @param onNext - called with each further wait, which takes the place of the previous one
   * @throws UnknownExecutionError
   */
  async endOf(
    first: CompletionWait,
    onNext?: (wait: CompletionWait) => void,
  ): Promise<ExecutionResult> {
    const { tenant, reader } = this.parts;
    const { id } = first;
    for (let wait = first; ;) {
      const end = await wait.ended;
      if (typeof end === 'object') return asResult(viewKnownEnd(end));
      const execution = end === 'ended' ? await reader.get(id) : null;
      if (execution === null) throw new UnknownExecutionError(id, tenant);
      // Callers that read at the same time share the object.
      if (isExecutionEnded(execution.status)) return asResult({ ...execution });
      wait = this.wait(id);
      onNext?.(wait);
    }
  }
}
