import type { TenantEngine } from '../engine/tenant-engine.js';
import {
  InvalidTransitionError,
  UnknownExecutionError,
  type StoredError,
} from '../errors/index.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import { isExecutionEnded, type ExecutionStatus } from '../workflow/index.js';
import { checkId } from './call-checks.js';
import { isExecutionId } from './execution-uuid.js';
import { checkReasonOptions, type ReasonOptions } from './reason-options.js';
import type { ServedCalls } from './served-calls.js';

/**
 * How far the deletion of a tenant's ended executions is, over all processes: result of {@link CloacinaRunner.retentionState}.
 *
 * @example
 * ```ts
 * const state = await runner.retentionState();
 * if (state?.archiveFailure !== undefined) console.warn(state.archiveFailure.error.message);
 * ```
 */
export interface RetentionStatus {
  /** When a process has last looked through the executions that are due. Absent before the first look. */
  lastRunAt?: Date;
  /** The number of executions that retention has deleted since the tenant was created. Children do not count. */
  deleted: number;
  /**
   * The last failure of the archive. Absent if the archive has never failed, or has taken executions since.
   *
   * If it has thrown, no execution of the tenant is deleted until a call succeeds. If `error.name` is `ArchiveReadError`, the
   * library could not read the execution that `error.message` names: it is kept with its tree, and the others are deleted.
   */
  archiveFailure?: {
    /** What the archive threw. */
    error: StoredError;
    /** When it failed. */
    at: Date;
    /** The number of failures in a row. */
    failures: number;
  };
}

export interface RetentionCallsParts {
  readonly tenant: string;
  readonly engine: Pick<TenantEngine, 'bulk' | 'control' | 'store'>;
  readonly served: Pick<ServedCalls, 'run'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/** Deletes single executions, puts them on legal hold, and reports the state of retention. */
export class RetentionCalls {
  constructor(private readonly parts: RetentionCallsParts) {}

  async delete(given: string): Promise<void> {
    const id = this.idOf(given);
    const { engine, served, whileUnavailable } = this.parts;
    let wasResent = false;
    const deleted = await served.run(() =>
      engine.bulk.delete([id], {
        repeat: (work) =>
          whileUnavailable.run((resent) => {
            wasResent ||= resent;
            return work(resent);
          }),
      }),
    );
    if (deleted.length > 0) return;
    const problem = await this.problemOf(id);
    // The first send has deleted it, and its reply was lost.
    if (problem === undefined && wasResent) return;
    throw problem ?? new UnknownExecutionError(id, this.parts.tenant);
  }

  async hold(given: string, isHeld: boolean, options: ReasonOptions = {}): Promise<void> {
    const call = isHeld ? 'legalHold()' : 'releaseLegalHold()';
    const { reason, actor } = checkReasonOptions(call, options);
    const id = this.idOf(given);
    const { engine, tenant } = this.parts;
    const found = await this.run(() => engine.store.retention.hold(id, isHeld, reason, actor));
    if (found === undefined) throw new UnknownExecutionError(id, tenant);
  }

  async state(): Promise<RetentionStatus | null> {
    const state = await this.run(() => this.parts.engine.store.retention.state());
    if (state === undefined) return null;
    const { lapAt, deleted, failures, failure, failedAt } = state;
    return {
      ...(lapAt === null ? {} : { lastRunAt: new Date(lapAt) }),
      deleted,
      ...(failure === null || failures === 0
        ? {}
        : { archiveFailure: { error: failure, at: new Date(failedAt ?? 0), failures } }),
    };
  }

  /** Why the execution was not deleted; undefined if it does not exist. */
  private async problemOf(id: string): Promise<InvalidTransitionError | undefined> {
    const { store } = this.parts.engine;
    const [row] = await this.run(() => store.executions([id]));
    if (row === undefined) return undefined;
    const { status, rootId } = row;
    if (!isExecutionEnded(status as ExecutionStatus)) {
      return refusal(id, status, 'Only ended executions can be deleted: cancel it first.');
    }
    if (rootId !== null) {
      return refusal(
        id,
        status,
        `It is a child: delete the execution at the top of its tree, ${rootId}.`,
      );
    }
    const members = await this.run(() => store.retention.trees([id]));
    const open = members.find((member) => member.id !== id && !member.isReady)?.id;
    return refusal(
      id,
      status,
      open === undefined
        ? 'It is on legal hold, its end is not passed on yet, or another session has locked its rows. Call ' +
            'releaseLegalHold() if it is held, or try again.'
        : `Execution ${open} of its tree has not ended, or is on legal hold, or its end is not passed on yet. Cancel it, ` +
            'release it, or try again.',
    );
  }

  private idOf(id: string): string {
    if (!isExecutionId(checkId(id))) throw new UnknownExecutionError(id, this.parts.tenant);
    return id.toLowerCase();
  }

  private run<T>(work: () => Promise<T>): Promise<T> {
    const { served, whileUnavailable } = this.parts;
    return served.run(() => whileUnavailable.run(work));
  }
}

function refusal(id: string, status: string, rule: string): InvalidTransitionError {
  return new InvalidTransitionError(id, status, 'delete', rule);
}
