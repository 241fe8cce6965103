import { pollerOf, type Duration } from '../../workflow/index.js';
import type { ScheduleRecord, StateRecord } from '../../store/port/index.js';
import { viewSchedule, type TenantSchedule } from '../schedule.js';
import type { PollInput } from './poller-workflow.js';

/** A poller in a tenant: its schedule, and its cursor. */
export interface TenantPoller extends Pick<
  TenantSchedule,
  'name' | 'state' | 'reason' | 'nextAt' | 'lastExecutionId'
> {
  /** The name of the workflow that it starts. */
  readonly workflow: string;
  /** The name of the workflow whose executions are its polls, for `list` and `counts`. */
  readonly pollWorkflow: string;
  /** The time between polls. */
  readonly every: Duration | undefined;
  /** The cursor of the next poll. Undefined before a poll has returned one. */
  readonly cursor: unknown;
  /** When the cursor was set last. */
  readonly cursorAt: Date | undefined;
  /** The instant of the last poll that the schedule has started. */
  readonly lastPolledFor: Date | undefined;
}

/** Whether a schedule is that of a poller. */
export function isPollerSchedule({ workflow }: Pick<ScheduleRecord, 'workflow'>): boolean {
  return pollerOf(workflow) !== undefined;
}

export function viewPoller(record: ScheduleRecord, state: StateRecord | undefined): TenantPoller {
  const {
    name,
    state: status,
    reason,
    nextAt,
    lastExecutionId,
    ...schedule
  } = viewSchedule(record);
  const input = schedule.input as Partial<PollInput> | undefined;
  const json = state?.value ?? null;
  return {
    name,
    workflow: input?.workflow ?? '',
    pollWorkflow: record.workflow,
    every: schedule.spec.every,
    state: status,
    reason,
    cursor: json === null ? undefined : (JSON.parse(json) as unknown),
    cursorAt: state === undefined || json === null ? undefined : new Date(state.updatedAt),
    nextAt,
    lastPolledFor: schedule.lastFiredFor,
    lastExecutionId,
  };
}
