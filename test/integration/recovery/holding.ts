import { setTimeout as delay } from 'node:timers/promises';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

/** What a handler did, as it is kept outside the database. */
export interface Entry {
  readonly what: 'begun' | 'ended' | 'aborted';
  readonly executionId: string;
  readonly name: string;
  readonly recoveryAttempt: number;
  readonly attempt: number;
  /** The process. */
  readonly by?: string;
}

/**
 * The input: `wait` holds until it is released, `once` too, but just ends after a loss, `linger` holds for a while longer,
 * `die` kills the process, `go` just ends.
 */
export interface HoldingInput {
  readonly name: string;
  readonly do: 'wait' | 'once' | 'linger' | 'die' | 'go';
}

export interface Behaviour {
  readonly note: (entry: Entry) => void;
  readonly released: Promise<void>;
  readonly die: () => void;
}

const LINGER_MS = 40;
const NEVER = new Promise<never>(() => undefined);

/** One task that does as its input says, and one that comes after it. */
export function holding({
  note,
  released,
  die,
}: Behaviour): WorkflowDefinition<Partial<HoldingInput>> {
  return defineWorkflow<HoldingInput>('holding')
    .task('hold', { timeout: '10m' }, async (context) => {
      const { executionId, recoveryAttempt, attempt, signal } = context;
      const entry = { executionId, recoveryAttempt, attempt, name: context.require('name') };
      note({ what: 'begun', ...entry });
      if (context.require('do') === 'die') {
        die();
        await NEVER;
      }
      const holds =
        context.require('do') === 'once' ? recoveryAttempt === 0 : context.require('do') === 'wait';
      if (holds) {
        const aborted = new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
        await Promise.race([released, aborted]);
        if (signal.aborted) {
          note({ what: 'aborted', ...entry });
          throw signal.reason;
        }
      }
      if (context.require('do') === 'linger') {
        await released;
        await delay(LINGER_MS);
      }
      note({ what: 'ended', ...entry });
      return { held: true };
    })
    .task('after', { dependsOn: ['hold'] }, () => ({ after: true }))
    .build();
}
