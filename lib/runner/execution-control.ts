import type { TenantEngine } from '../engine/tenant-engine.js';
import { InvalidTransitionError, UnknownExecutionError } from '../errors/index.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import type { ControlResult, ExecutionRow } from '../store/port/index.js';
import type { ExecutionStatus } from '../workflow/index.js';
import { checkRetry, type RetryExecutionOptions } from './retry-options.js';
import type { HandleControl } from './execution-handle.js';
import { viewTree, type ExecutionTree } from './execution-tree.js';
import { isExecutionId } from './execution-uuid.js';
import {
  checkReasonOptions,
  checkPauseOptions,
  checkResumeOptions,
  type Attribution,
  type CancelOptions,
  type PauseOptions,
  type ResumeExecutionOptions,
} from './reason-options.js';
import { ManualRetry } from '../engine/manual-retry.js';

/** Maximum number of executions of a tree that are read. */
const MAX_TREE = 10_000;

export interface ControlParts {
  readonly tenant: string;
  readonly engine: Pick<
    TenantEngine,
    'control' | 'store' | 'catalog' | 'settler' | 'wakeUps' | 'settings'
  >;
  /** Rejects with a TenantRemovedError when this process no longer serves the tenant. */
  readonly whileServed: <T>(work: () => Promise<T>) => Promise<T>;
  readonly whileUnavailable: AvailabilityRetry;
}

/** Controls existing executions, for a runner and its handles. */
export class ExecutionControl implements HandleControl {
  constructor(private readonly parts: ControlParts) {}

  async status(id: string): Promise<ExecutionStatus> {
    this.checkId(id);
    const [status] = (await this.repeated(() => this.parts.engine.store.statuses([id]))).values();
    if (status === undefined) throw new UnknownExecutionError(id, this.parts.tenant);
    return status as ExecutionStatus;
  }

  async cancel(id: string, options: CancelOptions = {}): Promise<void> {
    const { reason, actor } = checkReasonOptions('cancel()', options);
    const { control } = this.parts.engine;
    await this.steer(id, 'cancel', (resent) => control.cancel(id, reason, resent, actor));
  }

  async pause(id: string, options: PauseOptions = {}): Promise<void> {
    const { by, ofTree } = checkPauseOptions(options);
    await this.steer(id, 'pause', () => this.parts.engine.control.pause(id, by.reason, by.actor));
    if (ofTree) await this.steerTree(id, 'pause', by);
  }

  async resume(id: string, options: ResumeExecutionOptions = {}): Promise<void> {
    const { engine } = this.parts;
    const { actor, ofTree } = checkResumeOptions(options);
    if (ofTree) await this.steerTree(id, 'resume', { reason: null, actor });
    // After its children: its next tasks may depend on them.
    await this.steer(id, 'resume', () => engine.control.resume(id, actor));
    engine.wakeUps.wakeWorkers();
  }

  async tree(id: string): Promise<ExecutionTree> {
    this.checkId(id);
    const rows = await this.repeated(() => this.parts.engine.store.children.tree(id, MAX_TREE + 1));
    if (rows.length === 0) throw new UnknownExecutionError(id, this.parts.tenant);
    return viewTree(rows, MAX_TREE);
  }

  /**
   * Pauses or resumes the executions under an execution. A child that has ended, or is in the wanted state, is left as it
   * is. Running tasks may start children, so the tree is read again until nothing is left to do.
   */
  private async steerTree(id: string, action: 'pause' | 'resume', by: Attribution): Promise<void> {
    const { control, store } = this.parts.engine;
    const from: readonly string[] =
      action === 'pause' ? ['Pending', 'Running', 'Finishing'] : ['Paused'];
    const tried = new Set<string>([id]);
    for (;;) {
      const limit = MAX_TREE + tried.size;
      const rows = await this.repeated(() => store.children.tree(id, limit, from));
      const left = rows.filter((row) => !tried.has(row.id));
      if (left.length === 0) return;
      for (const { id: child } of left) {
        tried.add(child);
        await this.repeated(() =>
          action === 'pause'
            ? control.pause(child, by.reason, by.actor)
            : control.resume(child, by.actor),
        );
      }
    }
  }

  async retry(id: string, options: RetryExecutionOptions = {}): Promise<void> {
    this.checkId(id);
    const checked = checkRetry(options);
    const { engine } = this.parts;
    const { store, catalog, settler } = engine;
    const endChildrenOf = (ended: string): Promise<boolean> => settler.endChildrenOf(ended);
    const reset = new ManualRetry({ store, catalog, endChildrenOf }, id, checked);
    const dueInMs = await this.repeated((resent) => reset.run(resent));
    if (dueInMs === undefined) throw new UnknownExecutionError(id, this.parts.tenant);
    engine.control.told('retry', id, reset.workflow);
    engine.wakeUps.executionDueIn(dueInMs);
  }

  /**
   * Runs one action, again if its reply was lost. Then the first send may have changed the execution already, so an
   * execution in the wanted status counts as changed by this call.
   */
  private async steer(
    id: string,
    action: keyof typeof TRANSITIONS,
    run: (resent: boolean) => Promise<ControlResult>,
  ): Promise<void> {
    this.checkId(id);
    let wasResent = false;
    const { changed } = await this.repeated((resent) => {
      wasResent = resent;
      return run(resent);
    });
    if (changed) return;
    const { status, workflow } = await this.rowOf(id);
    const { to, rule } = TRANSITIONS[action];
    // The first send of a resume left an execution that is not Paused, and which may have changed its status since.
    const isAsAsked = status === to || (wasResent && action === 'resume');
    if (isAsAsked && wasResent) this.parts.engine.control.told(action, id, workflow);
    if (isAsAsked) return;
    throw new InvalidTransitionError(id, status, action, rule);
  }

  private async rowOf(id: string): Promise<ExecutionRow> {
    this.checkId(id);
    const [row] = await this.repeated(() => this.parts.engine.store.executions([id]));
    if (row === undefined) throw new UnknownExecutionError(id, this.parts.tenant);
    return row;
  }

  private checkId(id: string): void {
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, this.parts.tenant);
  }

  private repeated<T>(work: (resent: boolean) => Promise<T>): Promise<T> {
    const { whileServed, whileUnavailable } = this.parts;
    return whileServed(() => whileUnavailable.run(work));
  }
}

const TRANSITIONS = {
  cancel: {
    to: 'Cancelled',
    rule:
      'Only Pending, Running and Paused executions can be cancelled, while their outcome is not decided. One that is ' +
      'Finishing ends by itself.',
  },
  pause: { to: 'Paused', rule: 'Only Pending, Running and Finishing executions can be paused.' },
  resume: { to: undefined, rule: 'Only Paused executions can be resumed.' },
} as const;
