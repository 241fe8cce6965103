import { createHash } from 'node:crypto';
import type {
  CompiledTask,
  CompiledWorkflow,
  TaskSpec,
  WorkflowSource,
  WorkflowSpec,
} from './definition.js';
import { checkWorkflow } from './definition-check.js';
import { formatOf } from './definition-format.js';
import { Ancestry, dependentsOf } from './graph.js';
import { checkGraph } from './graph-check.js';
import { canonicalJson } from './json-equality.js';
import { assertDefined } from './assert-defined.js';
import { handledFailures } from './trigger-rule.js';

/** A workflow that can run, or all problems with it. */
export type CompileResult =
  | { readonly ok: true; readonly workflow: CompiledWorkflow }
  | {
      readonly ok: false;
      /** One or two sentences each: what is wrong and what to do. */ readonly problems: string[];
    };

/** Checks a workflow, fills in its defaults and numbers its tasks. */
export function compileWorkflow(source: WorkflowSource): CompileResult {
  const problems: string[] = [];
  const report = (problem: string): void => void problems.push(problem);
  const spec = checkWorkflow(source, report);
  const order = checkGraph(spec, report);
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, workflow: numberTasks(spec, order) };
}

/** Builds the workflow from a valid definition. `order` lists the indexes of its tasks, dependencies first. */
export function numberTasks(spec: WorkflowSpec, order: readonly number[]): CompiledWorkflow {
  const ordered = order.map((declared) => ({
    declared,
    task: assertDefined(spec.tasks[declared]),
  }));
  const numbers = new Map(ordered.map(({ task }, no) => [task.name, no]));
  const numbersOf = (names: readonly string[]): number[] =>
    names.map((name) => assertDefined(numbers.get(name)));
  const tasks = ordered.map(({ declared, task }, no) => compileTask(task, no, declared, numbersOf));
  const dependsOn = tasks.map((task) => task.dependsOn);
  const dependents = dependentsOf(dependsOn);
  const ancestry = new Ancestry(dependsOn);
  const asDeclared = [...tasks].sort((a, b) => a.declared - b.declared);
  return {
    ...spec,
    hash: hashOf(spec, order),
    tasks,
    roots: asDeclared.filter((task) => task.dependsOn.length === 0).map((task) => task.no),
    leaves: asDeclared.filter((task) => dependents[task.no]?.length === 0).map((task) => task.no),
    dependents,
    taskNo: (name) => numbers.get(name),
    isAncestor: (a, b) => ancestry.isAncestor(a, b),
  };
}

function compileTask(
  { name, rule, retry, timeoutMs, transactional, priority, limit, node, ...task }: TaskSpec,
  no: number,
  declared: number,
  numbersOf: (names: readonly string[]) => number[],
): CompiledTask {
  const dependsOn = numbersOf(task.dependsOn);
  const handles = rule === null ? [] : numbersOf(handledFailures(rule));
  return {
    no,
    name,
    declared,
    dependsOn,
    rule,
    handles,
    retry,
    timeoutMs,
    transactional,
    priority,
    ...(limit === undefined ? {} : { limit }),
    ...(node === undefined ? {} : { node }),
  };
}

/**
 * The hash of everything that decides how the workflow runs, except the numbers of its limits. It includes the order of the tasks' numbers, because
 * executions refer to tasks by number: if another release numbers them differently, it is another definition.
 */
function hashOf({ limits: _, ...spec }: WorkflowSpec, order: readonly number[]): string {
  const text = canonicalJson({ ...spec, description: '', order, format: formatOf(spec) });
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
