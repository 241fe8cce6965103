import type { CheckedAdmission } from './admission.js';
import { numberTasks } from './compile.js';
import type { CompiledWorkflow } from './definition.js';
import { checkWorkflow } from './definition-check.js';
import { formatOf, READABLE_FORMATS } from './definition-format.js';
import { checkGraph } from './graph-check.js';
import { isRecord } from './json-equality.js';
import { assertDefined } from './assert-defined.js';
import type { TaskNode } from './node.js';
import { formatRule } from './rule-check.js';
import type { RetryPolicy } from './retry-policy.js';
import type { TriggerRule } from './trigger-rule.js';

/** A task of a {@link StoredDefinition}. */
export interface StoredTask {
  readonly name: string;
  readonly declared: number;
  readonly dependsOn: readonly string[];
  readonly rule: TriggerRule | null;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly transactional: boolean;
  readonly priority: number;
  /** Absent for a task with a handler. */
  readonly node?: TaskNode;
}

/** A compiled workflow as plain JSON. */
export interface StoredDefinition {
  readonly format: number;
  readonly hash: string;
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  readonly timeoutMs?: number;
  /** Absent for a workflow that no event starts. */
  readonly startsOn?: readonly string[];
  /** Absent for a workflow without admission. */
  readonly admission?: CheckedAdmission;
  /** The tasks in the order of their numbers, by which executions refer to them. */
  readonly tasks: readonly StoredTask[];
}

/** Converts a workflow into plain JSON, which {@link restoreWorkflow} converts back. */
export function storeWorkflow(workflow: CompiledWorkflow): StoredDefinition {
  const { hash, name, version, description, timeoutMs, startsOn, admission } = workflow;
  return {
    format: formatOf(workflow),
    hash,
    name,
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(startsOn === undefined ? {} : { startsOn }),
    ...(admission === undefined ? {} : { admission }),
    tasks: workflow.tasks.map(({ no: _no, handles: _handles, dependsOn, ...task }) => ({
      ...task,
      dependsOn: dependsOn.map((dependency) => assertDefined(workflow.tasks[dependency]).name),
    })),
  };
}

/**
 * Restores a stored workflow, with the same task numbers and the same hash.
 *
 * @throws Error if the value is not a result of {@link storeWorkflow}
 */
export function restoreWorkflow(stored: StoredDefinition): CompiledWorkflow {
  const definition: unknown = stored;
  if (!isRecord(definition)) throw new Error('The stored workflow definition is not an object.');
  const label = `The stored definition of workflow ${formatRule(definition.name)}`;
  const { format } = definition;
  if (typeof format !== 'number' || !READABLE_FORMATS.includes(format)) {
    throw new Error(
      `${label} has the format ${formatRule(format)}, and this release reads ${READABLE_FORMATS.join(' and ')}. A newer release may have written it.`,
    );
  }
  const read = readTasks(Array.isArray(definition.tasks) ? definition.tasks : []);
  if (read === undefined) throw new Error(`${label} does not number its tasks.`);

  const problems: string[] = [];
  const report = (problem: string): void => void problems.push(problem);
  const spec = checkWorkflow(
    {
      ...definition,
      timeout: definition.timeoutMs,
      admission: admissionSource(definition.admission),
      tasks: read.sources,
    },
    report,
  );
  checkGraph(spec, report);
  if (problems.length > 0) throw new Error(`${label} cannot be used: ${problems.join(' ')}`);

  const workflow = numberTasks(spec, read.order);
  if (workflow.tasks.some((task) => task.dependsOn.some((dependency) => dependency >= task.no))) {
    throw new Error(`${label} numbers a task before one that it depends on.`);
  }
  if (format !== formatOf(workflow)) {
    throw new Error(
      `${label} was changed after it was stored: its tasks belong to the format ${formatOf(workflow)}, not ${format}.`,
    );
  }
  if (workflow.hash !== definition.hash) {
    throw new Error(
      `${label} was changed after it was stored: its hash is ${workflow.hash}, not ${formatRule(definition.hash)}.`,
    );
  }
  return workflow;
}

/**
 * The task sources in declaration order, and their positions in the order of the tasks' numbers. `undefined` unless
 * each position from 0 on occurs exactly once.
 */
function readTasks(tasks: readonly unknown[]): { sources: unknown[]; order: number[] } | undefined {
  const sources = new Map<unknown, unknown>();
  const order: number[] = [];
  for (const task of tasks) {
    if (!isRecord(task) || typeof task.declared !== 'number') return undefined;
    sources.set(task.declared, toSource(task));
    order.push(task.declared);
  }
  const complete = tasks.every((_, place) => sources.has(place));
  return complete ? { sources: tasks.map((_, place) => sources.get(place)), order } : undefined;
}

function toSource(task: Record<string, unknown>): Record<string, unknown> {
  const retry = isRecord(task.retry)
    ? { ...task.retry, delay: task.retry.delayMs, maxDelay: task.retry.maxDelayMs }
    : task.retry;
  return { ...task, when: task.rule, timeout: task.timeoutMs, retry, node: nodeSource(task.node) };
}

/** An admission with its rate under the names that it has in a source. */
function admissionSource(admission: unknown): unknown {
  if (!isRecord(admission) || !isRecord(admission.rate)) return admission;
  const { perMs: per, ...rate } = admission.rate;
  return { ...admission, rate: { ...rate, per } };
}

/** A node with its durations under the names that they have in a source. */
function nodeSource(node: unknown): unknown {
  if (!isRecord(node)) return node;
  const { timeoutMs: timeout, lookbackMs: lookback, forMs, ...rest } = node;
  return { ...rest, timeout, lookback, for: forMs };
}
