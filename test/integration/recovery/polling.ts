import type pg from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { PollerContext } from '../../../lib/discovery/poller-types.js';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { declaredPoller } from '../../support/declared-poller.js';
import type { Failpoint } from '../../faults/workload/failpoints.js';

/** The most that one poll takes. */
const AT_A_TIME = 3;

/** What the pollers start for each item. */
export const work: WorkflowDefinition = defineWorkflow('work')
  .task('run', () => undefined)
  .build();

/** A process that polls, and kills itself. */
export interface PollingSettings {
  readonly schema: string;
  /** Null: when the test kills it. */
  readonly dieAt: Failpoint | null;
  /** Whether it dies at a statement after the first call of the method, or after the boot. */
  readonly fromCall: boolean;
  /** The control: the cursor is written outside of the transaction of the poll. */
  readonly outside: boolean;
}

/**
 * A poller of the table `item`, which stands for something outside: it is read by a connection of its own. Its keys are never
 * the same twice, so that no key hides an item that was started twice: only the cursor keeps it from that.
 */
export function itemPoller(
  outside: Pick<pg.Client, 'query'>,
  begun: (context: PollerContext) => void = () => undefined,
): RegisteredWorkflow {
  let calls = 0;
  return declaredPoller(
    { name: 'items', every: '1s', workflow: 'work', retry: { maxAttempts: 100, maxDelay: '1s' } },
    async (context) => {
      begun(context);
      const after = (context.cursor as number | undefined) ?? 0;
      const { rows } = await outside.query<{ id: number }>(
        'SELECT id FROM item WHERE id > $1 ORDER BY id LIMIT $2',
        [after, AT_A_TIME],
      );
      const call = `${process.pid}/${++calls}`;
      return {
        starts: rows.map(({ id }) => ({ key: `${id} by ${call}`, input: { id } })),
        cursor: rows.at(-1)?.id ?? after,
      };
    },
  );
}
