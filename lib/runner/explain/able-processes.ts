import type { ServingRow, TaskRow } from '../../store/port/index.js';
import { formatOf, isBuiltInName, pollerOf, type CompiledTask } from '../../workflow/index.js';
import type { ExplainReason, ProcessRef, UnableProcess } from './explain-reason.js';
import { isSameTask, type Facts } from './facts.js';

/** Max number of workflows of a process that a reason names. */
const MAX_NAMED = 20;

/** The order in which processes are named: first those that lack the least to take the task. */
const NEAREST: readonly UnableProcess['because'][] = [
  'paused',
  'away',
  'draining',
  'noSlots',
  'format',
  'task',
  'workflow',
];

/** What a due task waits for that no limit and no pause stops: which processes could take it. */
export function processReason(facts: Facts, row: TaskRow, task: CompiledTask): ExplainReason {
  const { processes, definition, own } = facts;
  const able: ServingRow[] = [];
  const unable: UnableProcess[] = [];
  for (const process of processes.serving) {
    const because = obstacleOf(facts, process, task);
    if (because === undefined) able.push(process);
    else {
      const serves = process.workflows.slice(0, MAX_NAMED);
      unable.push({ ...refOf(process), serves, because });
    }
  }
  const since = row.runAt ?? facts.execution.createdAt;
  if (able.length === 0) {
    unable.sort((a, b) => NEAREST.indexOf(a.because) - NEAREST.indexOf(b.because));
    return { kind: 'noProcess', workflow: definition.workflow.name, processes: unable };
  }
  const others = able.filter(({ processId }) => processId !== own.processId);
  const hung = own.hung.find((one) => one.keepsSlot && isOf(one, row));
  if (hung !== undefined && others.length === 0) {
    const process = able.find(({ processId }) => processId === own.processId);
    if (process !== undefined) {
      const { ignoredForMs, keepsSlot } = hung;
      return { kind: 'hungHandler', process: refOf(process), ignoredForMs, keepsSlot };
    }
  }
  if (able.every((process) => isFull(facts, process))) {
    const full = able.map((process) => ({
      ...refOf(process),
      slots: process.slots,
      claimed: claimedBy(facts, process.processId),
    }));
    return { kind: 'slots', since, processes: full };
  }
  return { kind: 'due', since };
}

function isOf(
  hung: { executionId: string; taskNo: number; itemNo: number },
  row: TaskRow,
): boolean {
  return hung.executionId === row.executionId && isSameTask(hung, row);
}

/** Why the process does not take the task; undefined if it does once it has a free slot. */
function obstacleOf(
  { definition: { workflow } }: Facts,
  { taskNames, format, isAway, state, slots }: ServingRow,
  { name, node }: CompiledTask,
): UnableProcess['because'] | undefined {
  // Every process runs the library's own workflows. Those of pollers belong to the code.
  const isForAll = isBuiltInName(workflow.name) && pollerOf(workflow.name) === undefined;
  if (!isForAll) {
    if (taskNames === null) return 'workflow';
    if (format < formatOf(workflow)) return 'format';
    const isBuiltIn = node?.kind === 'wait' || node?.kind === 'sleep';
    if (!isBuiltIn && !taskNames.includes(name)) return 'task';
  }
  if (isAway) return 'away';
  if (state !== 'claiming') return state;
  return slots === 0 ? 'noSlots' : undefined;
}

function isFull(facts: Facts, { processId, slots }: ServingRow): boolean {
  if (processId === facts.own.processId && facts.own.isFull) return true;
  return claimedBy(facts, processId) >= slots;
}

/** The number of claims that the process has in the tenant, of all its instances. */
export function claimedBy({ processes }: Pick<Facts, 'processes'>, processId: string): number {
  return processes.owners
    .filter((owner) => owner.processId === processId && owner.lost === null)
    .reduce((sum, { claimed }) => sum + claimed, 0);
}

export function refOf({ name, processId }: Pick<ServingRow, 'name' | 'processId'>): ProcessRef {
  return { name, id: processId };
}
