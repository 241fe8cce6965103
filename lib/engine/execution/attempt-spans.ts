import { toStoredError } from '../../errors/index.js';
import type { AttemptSpan, CloacinaTelemetry } from '../../events/telemetry.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { HandlerOutcome } from './handler-outcome.js';
import type { TaskResult } from './task-result.js';

/** Begins the span of a run of a task. @param now - by the clock of `claim.claimedAt` */
export function beginSpan(
  telemetry: CloacinaTelemetry,
  tenant: string,
  claim: TaskClaim,
  now: number,
): AttemptSpan | undefined {
  const { executionId, definition, task, itemNo, waitedMs } = claim;
  return telemetry.attempt({
    tenant,
    executionId,
    workflow: definition.workflow.name,
    task: task.name,
    ...(itemNo === 0 ? {} : { item: itemNo }),
    attempt: claim.failures + 1,
    maxAttempts: task.retry.maxAttempts,
    recoveryAttempt: claim.recoveryAttempts,
    traceContext: claim.cache.traceContext ?? null,
    ...(waitedMs === undefined ? {} : { waitedMs: waitedMs + now - claim.claimedAt }),
  });
}

/** Ends the span with the outcome of the handler. A retry has its own span. */
export function endSpan(span: AttemptSpan, outcome: HandlerOutcome): void {
  switch (outcome.kind) {
    case 'ended':
      endWith(span, outcome);
      break;
    case 'committed':
      endWith(span, outcome.result);
      break;
    case 'failed':
      span.ended('failed', toStoredError(outcome.error));
      break;
    case 'deferred':
      span.ended('deferred');
      break;
    // A map waits for its items.
    case 'expanded':
    case 'suspended':
      span.ended('suspended');
      break;
    case 'givenBack':
    case 'refused':
    case 'superseded':
    case 'unrecordable':
      span.ended('returned');
  }
}

function endWith(span: AttemptSpan, { status, error }: TaskResult): void {
  if (status === 'Completed') span.ended('completed');
  else if (status === 'Skipped') span.ended('skipped');
  else span.ended('failed', toStoredError(error));
}
