import { Logger } from '@nestjs/common';
import type { ClaimTable } from '../claims/claim-table.js';
import type { ExecutionEnds } from '../completion/execution-ends.js';
import type { ExecutionControl } from '../execution-control.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import { retryOnConflict } from '../../runtime/retry-on-conflict.js';
import type { Clock } from '../../runtime/clock.js';
import {
  MAX_BULK,
  type BulkAction,
  type BulkStore,
  type ChangedExecution,
} from '../../store/port/index.js';
import type { RetryWishes } from '../retry-plan.js';
import { BulkRetry, type BulkPart, type BulkRetryParts } from './bulk-retry.js';

/** How long executions whose rows are locked are tried again, and the pause between two tries, in milliseconds. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 50;

export interface BulkControlParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: FailureClassifier & { readonly bulk: BulkStore };
  readonly claims: Pick<ClaimTable, 'all' | 'loseHeld'>;
  readonly ends: Pick<ExecutionEnds, 'tell' | 'maybe'>;
  readonly control: Pick<ExecutionControl, 'told'>;
  /** Called when tasks may be due that no process has claimed. */
  readonly wakeWorkers: () => void;
  readonly retries: Pick<BulkRetryParts, 'catalog' | 'dueIn' | 'endChildrenOf'>;
}

interface ControlPart {
  readonly reason: string | null;
  readonly actor: string | null;
  readonly resent: boolean;
}

/** How a part is sent again. */
export interface BulkSending {
  /** Aborted when the caller gives up. Then no further statement is sent. */
  readonly signal?: AbortSignal | undefined;
  /** Sends `work` again when it failed. Default: only after a conflict, which wrote nothing. */
  readonly repeat?: <T>(work: (resent: boolean) => Promise<T>) => Promise<T>;
}

/**
 * Changes and deletes many executions: a hundred in a statement, one statement after the other, so that the hot statements
 * find a connection between them. A statement skips executions of which another session has locked a row. These are tried
 * again after the others, for ten seconds without success; then the log names their number, and they stay unchanged.
 */
export class BulkControl {
  private readonly logger = new Logger('Cloacina');

  constructor(private readonly parts: BulkControlParts) {}

  /** Cancels, pauses or resumes executions. Returns the ids of those that it changed. */
  async control(
    action: BulkAction,
    ids: readonly string[],
    reason: string | null,
    sending: BulkSending = {},
    actor: string | null = null,
  ): Promise<string[]> {
    const changed = await this.inParts(action, ids, sending, (part, resent) =>
      this.controlPart(action, part, { reason, actor, resent }),
    );
    if (action === 'resume' && changed.length > 0) this.parts.wakeWorkers();
    return changed;
  }

  /** Retries ended executions that have tasks to run again. Returns the ids of those that it retried. */
  retry(
    ids: readonly string[],
    wishes: RetryWishes & { readonly actor?: string | null },
    sending: BulkSending = {},
  ): Promise<string[]> {
    const { store, control, retries, wakeWorkers } = this.parts;
    const told = (id: string, workflow: string): void => control.told('retry', id, workflow);
    const retry = new BulkRetry({ ...retries, store, told, wakeWorkers }, wishes);
    return this.inParts('retry', ids, sending, (part, resent) => retry.part(part, resent));
  }

  /** Deletes ended executions, with the executions under them. Returns the ids of those that it deleted. */
  delete(ids: readonly string[], sending: BulkSending = {}): Promise<string[]> {
    return this.inParts('delete', ids, sending, async (part) => {
      const { deleted, left } = await this.parts.store.bulk.delete(part);
      return { changed: deleted, left };
    });
  }

  private async controlPart(
    action: BulkAction,
    ids: readonly string[],
    { reason, actor, resent }: ControlPart,
  ): Promise<BulkPart> {
    const { claims, ends, store } = this.parts;
    const held = action === 'cancel' ? claims.all() : [];
    const { changed, left } = await store.bulk.control(action, ids, reason, actor);
    const changedIds = new Set(changed.map(({ id }) => id));
    claims.loseHeld(held.filter(({ executionId }) => changedIds.has(executionId)));
    for (const execution of changed) this.told(action, execution);
    // The first send may have ended the others, and its reply was lost.
    if (resent && action === 'cancel') {
      for (const id of ids) if (!changedIds.has(id)) ends.maybe(id);
    }
    return { changed: [...changedIds], left };
  }

  private told(action: BulkAction, { id, workflow, ...end }: ChangedExecution): void {
    if (action === 'cancel') this.parts.ends.tell(id, end);
    this.parts.control.told(action, id, workflow);
  }

  private async inParts(
    action: string,
    ids: readonly string[],
    { signal, repeat }: BulkSending,
    run: (part: readonly string[], resent: boolean) => Promise<BulkPart>,
  ): Promise<string[]> {
    const { clock, store } = this.parts;
    const changed: string[] = [];
    let left = ids;
    let progressAt = clock.now();
    while (left.length > 0) {
      const before: number = changed.length;
      const next: string[] = [];
      for (let at = 0; at < left.length; at += MAX_BULK) {
        signal?.throwIfAborted();
        const part = left.slice(at, at + MAX_BULK);
        const done = await (repeat === undefined
          ? retryOnConflict(store, clock, () => run(part, false))
          : repeat((resent) => run(part, resent)));
        changed.push(...done.changed);
        next.push(...done.left);
      }
      left = next;
      if (changed.length > before) progressAt = clock.now();
      else if (left.length > 0) {
        if (clock.now() - progressAt > PATIENCE_MS) break;
        await clock.sleep(PAUSE_MS, signal);
      }
    }
    if (left.length > 0) this.reportLeft(action, left);
    return changed;
  }

  private reportLeft(action: string, left: readonly string[]): void {
    this.logger.warn(
      `Tenant "${this.parts.tenant}": a bulk ${action} has left out ${left.length} executions, because other sessions have ` +
        `held locks on their rows for ${PATIENCE_MS / 1_000} s. See pg_locks, and repeat the call. The first of them: ${left[0]}`,
    );
  }
}
