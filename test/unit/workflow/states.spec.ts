import { describe, expect, it } from '@jest/globals';
import {
  canExecutionTransition,
  canTaskTransition,
  EXECUTION_TRANSITIONS,
  isExecutionEnded,
  isTaskTerminal,
  TASK_TRANSITIONS,
  type ExecutionStatus,
  type TaskStatus,
} from '../../../lib/workflow/states.js';

const TASKS: TaskStatus[] = [
  'NotStarted',
  'Ready',
  'Running',
  'Waiting',
  'Completed',
  'Failed',
  'Skipped',
  'Cancelled',
];
const EXECUTIONS: ExecutionStatus[] = [
  'Pending',
  'Running',
  'Paused',
  'Finishing',
  'Completed',
  'Failed',
  'Cancelled',
];

/** One line a state: what it may become. Written out, so that a change of the table is a decision. */
function legal<S extends string>(states: readonly S[], can: (from: S, to: S) => boolean): string[] {
  return states.map((from) => `${from} > ${states.filter((to) => can(from, to)).join(' ')}`);
}

describe('the states of a task', () => {
  it('change in these ways and no other', () => {
    expect(legal(TASKS, canTaskTransition)).toEqual([
      'NotStarted > Ready Running Skipped Cancelled',
      'Ready > Running Skipped Cancelled',
      'Running > Ready Waiting Completed Failed Skipped Cancelled',
      'Waiting > Ready Running Cancelled',
      'Completed > NotStarted Ready',
      'Failed > NotStarted Ready',
      'Skipped > NotStarted Ready',
      'Cancelled > NotStarted Ready',
    ]);
    expect(Object.keys(TASK_TRANSITIONS)).toEqual(TASKS);
  });

  it('are terminal when only a manual retry leaves them', () => {
    const terminal = TASKS.filter(isTaskTerminal);
    expect(terminal).toEqual(['Completed', 'Failed', 'Skipped', 'Cancelled']);
    for (const from of terminal) {
      expect(terminal.some((to) => canTaskTransition(from, to))).toBe(false);
      expect(canTaskTransition(from, 'Running')).toBe(false);
    }
  });

  it('all lead to an end', () => {
    for (const from of TASKS) expect(canTaskTransition(from, from)).toBe(false);
    expect(TASKS.filter((from) => canTaskTransition(from, 'Cancelled'))).toEqual(
      TASKS.filter((from) => !isTaskTerminal(from)),
    );
  });
});

describe('the states of an execution', () => {
  it('change in these ways and no other', () => {
    expect(legal(EXECUTIONS, canExecutionTransition)).toEqual([
      'Pending > Running Paused Cancelled',
      'Running > Paused Finishing Completed Failed Cancelled',
      'Paused > Pending Running Finishing Completed Failed Cancelled',
      'Finishing > Paused Completed Failed Cancelled',
      'Completed > Pending Running',
      'Failed > Pending Running',
      'Cancelled > Pending Running',
    ]);
    expect(Object.keys(EXECUTION_TRANSITIONS)).toEqual(EXECUTIONS);
  });

  it('have ended when only a manual retry leaves them', () => {
    expect(EXECUTIONS.filter(isExecutionEnded)).toEqual(['Completed', 'Failed', 'Cancelled']);
    for (const from of EXECUTIONS) {
      expect(canExecutionTransition(from, from)).toBe(false);
      expect(canExecutionTransition(from, 'Cancelled')).toBe(!isExecutionEnded(from));
    }
  });
});
