import { Logger } from '@nestjs/common';
import type { StoredError } from '../errors/index.js';
import type { EventListener } from './event-listeners.js';
import type { WorkflowEvent } from './workflow-event.js';

/**
 * Writes failures to Nest's log: a WARN for each failed attempt, an ERROR for each Failed execution. Only the process
 * that stored a failure emits its event, so each failure is logged once.
 */
export function failureLog(logger = new Logger('Cloacina')): EventListener {
  return {
    names: ['task.retrying', 'task.failed', 'execution.failed'],
    receive: (event) => {
      if (event.type === 'execution.ended') {
        const stack = event.error?.stack;
        logger.error(describeEnd(event), ...(stack === undefined ? [] : [stack]));
      } else if (event.type === 'task.retrying' || event.type === 'task.ended') {
        logger.warn(describeAttempt(event));
      }
    },
  };
}

function describeEnd({
  tenant,
  executionId,
  workflow,
  error,
  failedTask,
}: Extract<WorkflowEvent, { type: 'execution.ended' }>): string {
  const where = failedTask === undefined ? '' : ` at task ${failedTask}`;
  const why = error === undefined ? '.' : `: ${error.name}: ${error.message}`;
  return `Tenant "${tenant}": execution ${executionId} of ${workflow} failed${where}${why}`;
}

function describeAttempt(
  event: Extract<WorkflowEvent, { type: 'task.retrying' | 'task.ended' }>,
): string {
  const { tenant, executionId, workflow, task, attempt, maxAttempts, error } = event;
  const next =
    event.type === 'task.retrying'
      ? `will be retried in ${seconds(event.retryInMs)}`
      : 'will not be retried';
  return (
    `Tenant "${tenant}": attempt ${attempt} of ${maxAttempts} of task ${task} of ${workflow} failed and ${next}, ` +
    `execution ${executionId}. ${error === undefined ? '' : textOf(error)}`
  );
}

/** The stack, which begins with name and message, or else these two. */
function textOf({ name, message, stack }: StoredError): string {
  return stack ?? `${name}: ${message}`;
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
