import { isDeepStrictEqual } from 'node:util';
import { illegalHistories } from '../workload/legal-history.js';
import type { ReadRows } from '../workload/history.js';
import { readFacts, stepKey, type ExecutionFacts, type Facts } from './facts.js';
import { HELLO, ROLLED_BACK } from './messages.js';
import { TELLER, type Program } from './program.js';
import type { Note } from './program-handlers.js';
import { Reference } from './reference.js';

/** All that is known of a run besides the database. */
export interface ProgramsRun {
  readonly programs: readonly Program[];
  /** Paths of executions whose start was confirmed. */
  readonly started: ReadonlySet<string>;
  /** Executions for which a cancel was asked; those for which it was confirmed. */
  readonly cancelling: ReadonlySet<string>;
  readonly cancelled: ReadonlySet<string>;
  /** Values of messages whose send was confirmed. */
  readonly sent: ReadonlySet<string>;
  readonly notes: readonly Note[];
  /** Processes that were stopped for longer than their lease: they may run what others have taken over. */
  readonly zombies: ReadonlySet<string>;
}

/** All that must hold once nothing is under way; what doesn't, in sentences. */
export async function brokenLaws(read: ReadRows, run: ProgramsRun): Promise<string[]> {
  const facts = await readFacts(read);
  const wrong: string[] = [];
  for (const execution of facts.executions.values()) {
    const { id, workflow, path } = execution;
    const program = [TELLER, ...run.programs].find(({ name }) => name === workflow);
    if (program === undefined) continue;
    const own = [
      ...new Reference(program, execution, facts).check(),
      ...wrongEnd(run, facts, execution),
      ...wrongFamily(facts, execution),
      ...leftMail(facts, execution),
    ];
    wrong.push(...own.map((text) => `${id} (${workflow}, ${path}): ${text}`));
  }
  return [
    ...wrong,
    ...lostStarts(run, facts),
    ...wrongMessages(run, facts),
    ...wrongEffects(facts),
    ...wrongNotes(run, facts),
    ...(await illegalHistories(read)),
    ...(await leftovers(read)),
  ];
}

function wrongEnd(
  { cancelling, cancelled }: ProgramsRun,
  facts: Facts,
  { id, status, unsettled, parentId, onParentEnd, tasks }: ExecutionFacts,
): string[] {
  const wrong: string[] = [];
  const parent = facts.executions.get(parentId ?? '');
  const byParent =
    onParentEnd === 'cancel' && (parent?.status === 'Failed' || parent?.status === 'Cancelled');
  if (status === 'Cancelled' && !cancelling.has(id) && !byParent)
    wrong.push('is Cancelled for no reason');
  if (cancelled.has(id) && status !== 'Cancelled') wrong.push(`was cancelled and is ${status}`);
  if (unsettled !== 0) wrong.push(`its end is unsettled (${unsettled})`);
  for (const { no, owner } of tasks) if (owner !== null) wrong.push(`task ${no} is claimed still`);
  return wrong;
}

/** Each child is that of one step. */
function wrongFamily(
  { executions }: Facts,
  { id, key, parentId, parentTaskNo, parentStep }: ExecutionFacts,
): string[] {
  if (parentId === null) return [];
  const parent = executions.get(parentId);
  const step = parent?.steps.get(stepKey(parentTaskNo ?? 0, parentStep ?? ''));
  if (step?.childId === id) return [];
  // One with a key is stored before its step, and the parent may have been stopped in between.
  const isStopped = parent?.tasks[parentTaskNo ?? 0]?.status === 'Cancelled';
  if (key !== null && isStopped && step === undefined) return [];
  return [`is a second child of step ${parentStep}`];
}

/** Messages that nothing took though they were due: those of waits that came to their end do not count. */
function leftMail({ signals }: Facts, execution: ExecutionFacts): string[] {
  if (!execution.tasks.every(({ status }) => status === 'Completed')) return [];
  const timedOut = new Set(
    [...execution.steps.values()].flatMap(({ status, name }) =>
      status === 'TimedOut' ? [name] : [],
    ),
  );
  const left = [...signals.values()].filter(
    ({ executionId, consumed, name }) =>
      executionId === execution.id && !consumed && name !== HELLO && !timedOut.has(name),
  );
  return left.map(({ name, id }) => `left the signal ${name} (${id}) in its mailbox`);
}

function lostStarts({ started }: ProgramsRun, { executions }: Facts): string[] {
  const paths = new Map<string, number>();
  for (const { path } of executions.values()) paths.set(path, (paths.get(path) ?? 0) + 1);
  return [
    ...[...started].filter((path) => !paths.has(path)).map((path) => `${path}: started and lost`),
    ...[...paths].filter(([, n]) => n > 1).map(([path, n]) => `${path}: started ${n} times`),
  ];
}

function wrongMessages({ sent }: ProgramsRun, { executions, signals }: Facts): string[] {
  const wrong: string[] = [];
  const takers = new Map<string, number>();
  for (const { steps } of executions.values()) {
    for (const { signalId } of steps.values()) {
      if (signalId !== null) takers.set(signalId, (takers.get(signalId) ?? 0) + 1);
    }
  }
  const values = new Set<string>();
  for (const { id, name, executionId, payload, consumed, delivered } of signals.values()) {
    const what = `signal ${id} (${name} of ${executionId})`;
    values.add(payload.value);
    if (payload.value === ROLLED_BACK) wrong.push(`${what}: its transaction rolled back`);
    if (!delivered) wrong.push(`${what} was not delivered`);
    if (executionId === null) continue;
    const taken = takers.get(id) ?? 0;
    if (taken !== (consumed ? 1 : 0))
      wrong.push(`${what} was taken ${taken} times, and consumed: ${consumed}`);
  }
  for (const value of sent) if (!values.has(value)) wrong.push(`message ${value} was lost`);
  return wrong;
}

/** A transaction of a step commits with its record, that of a task with its outcome. */
function wrongEffects({ executions, effects }: Facts): string[] {
  return effects.flatMap(({ executionId, name, value }) => {
    const execution = executions.get(executionId);
    const isRecorded =
      [...(execution?.steps.values() ?? [])].some(
        (step) => step.name === name && step.result === value,
      ) || execution?.tasks.some(({ output }) => JSON.stringify(output).includes(value)) === true;
    return isRecorded ? [] : [`${executionId}: ${name} wrote ${value}, which is not recorded`];
  });
}

/** What runs saw of a step is what is recorded of it, and no step was run again after its record. */
function wrongNotes({ notes, zombies }: ProgramsRun, { executions }: Facts): string[] {
  const wrong = contradictions(notes);
  for (const { what, executionId, task, name, at, by } of notes) {
    const execution = executions.get(executionId);
    const step = [...(execution?.steps.values() ?? [])].find((each) => each.name === name);
    if (what !== 'got' && step !== undefined && step.completedAt !== null && !zombies.has(by)) {
      if (at * 1_000 > step.completedAt + 1_000)
        wrong.push(`${executionId} ${task} ${name}: was run again after its record, by ${by}`);
    }
  }
  return wrong;
}

/** Points that returned one value to a run and another one to a later run. */
export function contradictions(notes: readonly Note[]): string[] {
  const wrong: string[] = [];
  const seen = new Map<string, unknown>();
  for (const { what, executionId, task, name, value } of notes) {
    if (what !== 'got') continue;
    const key = `${executionId} ${task} ${name}`;
    if (seen.has(key) && !isDeepStrictEqual(seen.get(key), value))
      wrong.push(`${key}: runs got ${JSON.stringify(seen.get(key))} and ${JSON.stringify(value)}`);
    seen.set(key, value);
  }
  return wrong;
}

async function leftovers(read: ReadRows): Promise<string[]> {
  const rows = await read<{ what: string; count: number }>(`
    SELECT 'leases' AS what, count(*)::integer AS count FROM cloacina_runner_lease`);
  return rows.filter(({ count }) => count > 0).map(({ what, count }) => `${count} ${what} left`);
}

/**
 * What waits for something that has happened: holds of any one snapshot, whatever is under way. A task that sleeps for ever
 * although its signal is delivered and not taken, or its child has told its end; an execution that runs without an open task.
 */
export const WAITS_FOR_NOTHING = `
  SELECT t.execution_id AS id, t.task_no AS "taskNo", s.name, 'a delivered signal' AS what
  FROM cloacina_task_execution t JOIN cloacina_task_step s USING (execution_id, task_no, item_no)
  WHERE t.status = 'Waiting' AND t.run_at IS NULL AND s.status = 'Open' AND s.kind = 'signal' AND s.event_name IS NOT NULL
    AND EXISTS (SELECT FROM cloacina_signal m WHERE m.execution_id = t.execution_id AND m.name = s.event_name
                AND m.delivered AND NOT m.consumed)
  UNION ALL
  SELECT t.execution_id, t.task_no, s.name, 'the end of a child'
  FROM cloacina_task_execution t JOIN cloacina_task_step s USING (execution_id, task_no, item_no)
    JOIN cloacina_workflow_execution c ON c.id = s.child_id
  WHERE t.status = 'Waiting' AND t.run_at IS NULL AND s.status = 'Open' AND s.kind = 'child'
    AND c.completed_at IS NOT NULL AND c.unsettled & 1 = 0
  UNION ALL
  SELECT t.execution_id, t.task_no, NULL, 'nothing'
  FROM cloacina_task_execution t
  WHERE t.status = 'Waiting' AND t.run_at IS NULL AND NOT EXISTS (
    SELECT FROM cloacina_task_step s WHERE s.execution_id = t.execution_id AND s.task_no = t.task_no
      AND s.item_no = t.item_no AND s.status = 'Open')
  UNION ALL
  SELECT x.id, NULL, NULL, 'a task that is open'
  FROM cloacina_workflow_execution x
  WHERE x.completed_at IS NULL AND NOT EXISTS (
    SELECT FROM cloacina_task_execution t WHERE t.execution_id = x.id AND t.completed_at IS NULL)`;
