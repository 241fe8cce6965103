import type { TaskKey } from '../store/port/index.js';
import { claimKey } from './claims/task-claim.js';
import type { ClaimTable } from './claims/claim-table.js';
import type { HungHandler } from './execution/hung-handlers.js';
import type { SlotScheduler } from './slots/slot-scheduler.js';

/** What only this process knows of itself in one tenant. */
export interface OwnFacts {
  readonly processId: string;
  readonly name: string;
  /** Its handlers that hang. */
  readonly hung: readonly HungHandler[];
  /** Whether it has claimed the task and not called its handler yet. */
  readonly isQueued: (task: TaskKey) => boolean;
  /** Whether the slots of all its tenants together are taken. */
  readonly isFull: boolean;
}

export function ownFacts(
  { processId, name }: { readonly processId: string; readonly name: string },
  parts: {
    readonly hung: readonly HungHandler[];
    readonly claims: Pick<ClaimTable, 'all'>;
    readonly slots: Pick<SlotScheduler, 'running' | 'limit'>;
  },
): OwnFacts {
  const queued = new Set(
    parts.claims
      .all()
      .filter(({ stage }) => stage === 'waiting')
      .map(({ key }) => key),
  );
  return {
    processId,
    name,
    hung: parts.hung,
    isQueued: (task) => queued.has(claimKey(task)),
    isFull: parts.slots.running >= parts.slots.limit,
  };
}
