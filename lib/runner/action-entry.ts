import type { ActionKind } from '../store/port/index.js';

/** What an `actor` did to a workflow or a schedule; see {@link CloacinaRunner.actions}. */
export interface ActionEntry {
  /** Names the entry in `before`. */
  readonly id: string;
  readonly at: Date;
  /** The call: `workflow.paused` is `pauseWorkflow`, `schedule.run` is `schedules.runNow`, and so on. */
  readonly kind: ActionKind;
  /** The name of the workflow or schedule. */
  readonly subject: string;
  /** The `actor` of the call. */
  readonly actor: string;
  /** The `reason` of the call. Absent without one. */
  readonly reason?: string;
  /** The execution that `schedules.runNow` starts. Absent for other calls. */
  readonly executionId?: string;
}

/** Which entries {@link CloacinaRunner.actions} returns. */
export interface ActionFilter {
  /** Only those of the workflow or schedule of this name. Default: of all. */
  readonly subject?: string;
  /** Only those of this `actor`. Default: of all. */
  readonly actor?: string;
  /** Only entries before the one with this id, which the page before has returned last. */
  readonly before?: string;
  /** At most 500. Default: 50. */
  readonly limit?: number;
}
