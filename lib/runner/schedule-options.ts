import type { EntityManager } from 'typeorm';
import type { JsonObject } from '../discovery/context-types.js';
import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { CatchUp, ScheduleSpec } from '../workflow/schedule/index.js';
import type { ActorOptions } from './reason-options.js';
import type { TenantSchedule } from './schedule.js';

/** Options of a call that changes a schedule. */
export interface ScheduleCallOptions extends ActorOptions {
  /** The manager of an open transaction of the caller, in which the change is stored. Default: none. */
  readonly manager?: EntityManager;
}

/** A change of a schedule. Fields that are left out stay unchanged. */
export interface ScheduleChange extends Partial<ScheduleSpec> {
  /** The input of each execution. */
  readonly input?: JsonObject;
}

/** Options of `runner.schedules.resume`. */
export interface ResumeOptions extends ActorOptions {
  /**
   * Which of the firings in the pause are made now: `'skip'` none, `'once'` the latest, `{ all: n }` the latest `n`, the
   * oldest first. It takes the place of the schedule's own `catchUp`; the schedule's `catchUpWindow` still applies. Default: `'skip'`.
   */
  readonly catchUp?: CatchUp;
}

/** Options of `runner.schedules.runNow`. */
export interface RunNowOptions extends ActorOptions {
  /**
   * What happens while another execution of the schedule runs: `'allow'` starts another one, `'queue'` lets it wait for its turn,
   * `'cancelPrevious'` cancels the other one, and `'skip'` starts nothing, which the firings record. Default: that of the schedule if
   * it is `queue` or `cancelPrevious`, otherwise `'allow'`.
   */
  readonly overlap?: 'allow' | 'cancelPrevious' | 'queue' | 'skip';
}

/** Which schedules `list` returns. */
export interface ScheduleFilter {
  /** Only schedules of this workflow. Default: of all workflows. */
  readonly workflow?: WorkflowRef;
  /** Only schedules in this state. Default: in any state. */
  readonly state?: TenantSchedule['state'];
  /** Only schedules that the code declares, or only those that `create` made. Default: both. */
  readonly origin?: TenantSchedule['origin'];
  /** Only schedules after this name, which the page before has returned last. */
  readonly after?: string;
  /** At most 500. Default: 50. */
  readonly limit?: number;
}
