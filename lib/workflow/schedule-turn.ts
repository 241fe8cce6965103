import { ADMISSION_PREFIX, type WhenFull } from './admission.js';
import { limitKeyOf } from './limit.js';

/** The overlap policies of a schedule for which its executions take turns. */
export type TurnPolicy = Extract<WhenFull, 'cancelPrevious' | 'queue'>;

/** Follows {@link ADMISSION_PREFIX} in place of the name of a workflow, which has no control characters. */
const MARK = 'schedule\u001e';

/** Begins the admission keys of schedules. */
export const SCHEDULE_TURN_PREFIX = `${ADMISSION_PREFIX}${MARK}`;

/**
 * The admission key of a schedule's own: its executions run one at a time. The policy is part of the key, so a process admits
 * them without the row of the schedule, and a schedule with another policy has another key.
 */
export function scheduleTurnKey(schedule: string, policy: TurnPolicy): string {
  return limitKeyOf(`${SCHEDULE_TURN_PREFIX}${policy}`, schedule);
}

/** The policy, from the workflow that `splitAdmissionKey` finds; undefined for the key of a workflow. */
export function turnPolicyOf(workflow: string): TurnPolicy | undefined {
  if (!workflow.startsWith(MARK)) return undefined;
  return workflow.slice(MARK.length) as TurnPolicy;
}

/** One execution of a schedule runs at a time. */
export const TURN_NUMBERS = { concurrency: 1 } as const;
