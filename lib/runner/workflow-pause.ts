import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { TenantEngine } from '../engine/tenant-engine.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import { noteOf } from './action-note.js';
import type { ExecutionStarter } from './execution-starter.js';
import {
  checkActorOptions,
  checkReasonOptions,
  type ActorOptions,
  type ReasonOptions,
} from './reason-options.js';
import type { ServedCalls } from './served-calls.js';

/** A workflow that is paused as a whole. */
export interface PausedWorkflow {
  /** The name of the workflow. */
  workflow: string;
  /** The reason that the caller gave. Absent without one. */
  reason?: string;
  /** Since when it is paused. */
  since: Date;
}

export interface WorkflowPauseCallsParts {
  readonly engine: Pick<TenantEngine, 'workflows'>;
  readonly nameOf: (workflow: WorkflowRef) => string;
  readonly starter: Pick<ExecutionStarter, 'definitionOf'>;
  readonly served: Pick<ServedCalls, 'run'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/** Pauses, resumes and lists workflows. Each call may be sent again after a lost reply. */
export class WorkflowPauseCalls {
  constructor(private readonly parts: WorkflowPauseCallsParts) {}

  async pause(workflow: WorkflowRef, options: ReasonOptions = {}): Promise<void> {
    const { reason, actor } = checkReasonOptions('pauseWorkflow()', options);
    const { engine, nameOf, starter } = this.parts;
    // A name with a typing error would pause nothing.
    await this.run(() => starter.definitionOf(workflow));
    const by = noteOf(actor)('workflow.paused', reason);
    await this.run(() => engine.workflows.pauses.pause(nameOf(workflow), reason, by));
  }

  /** The workflow may be one that no process knows. */
  async resume(workflow: WorkflowRef, options: ActorOptions = {}): Promise<void> {
    const actor = checkActorOptions('resumeWorkflow()', options);
    const { engine, nameOf } = this.parts;
    const name = nameOf(workflow);
    const by = noteOf(actor)('workflow.resumed');
    await this.run(() => engine.workflows.pauses.resume(name, by));
  }

  async list(): Promise<PausedWorkflow[]> {
    const pauses = await this.run(() => this.parts.engine.workflows.pauses.list());
    return pauses.map(({ workflow, reason, pausedAt }) => ({
      workflow,
      ...(reason === null ? {} : { reason }),
      since: pausedAt,
    }));
  }

  private run<T>(work: () => Promise<T>): Promise<T> {
    const { served, whileUnavailable } = this.parts;
    return served.run(() => whileUnavailable.run(work));
  }
}
