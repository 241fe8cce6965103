import type { TaskSpec, WorkflowSpec } from './definition.js';
import { didYouMean } from './definition-check.js';
import type { Report } from './field-check.js';
import { orderGraph } from './graph.js';
import { assertDefined } from './assert-defined.js';
import { formatRule } from './rule-check.js';
import { tasksNamedBy } from './trigger-rule.js';

/** Max suggestions per check, because each one compares a name with all names. */
const MAX_SUGGESTIONS = 20;
/** Max reported cycles. More of them usually have one common cause. */
const MAX_CYCLES = 10;
/** The number of tasks that are shown at each end of a long cycle. */
const CYCLE_END = 10;

type Suggest = (name: string, known: Iterable<string>) => string;

/**
 * Checks names, dependencies and rules against each other.
 *
 * @returns the order of the tasks' numbers, as indexes into `tasks`
 */
export function checkGraph(workflow: WorkflowSpec, report: Report): readonly number[] {
  const label = `Workflow ${formatRule(workflow.name)}`;
  const indexOf = indexNames(workflow.tasks, (name) =>
    report(`${label} has two tasks named ${formatRule(name)}; rename one of them.`),
  );
  let suggestions = MAX_SUGGESTIONS;
  const suggest: Suggest = (name, known) => (suggestions-- > 0 ? didYouMean(name, known) : '');
  const dependsOn = workflow.tasks.map((task) => {
    const say: Report = (problem) => report(`${label}: task ${formatRule(task.name)} ${problem}`);
    const known: number[] = [];
    for (const name of repeated(task.dependsOn)) {
      say(`lists ${formatRule(name)} more than once in dependsOn; list it once.`);
    }
    for (const name of new Set(task.dependsOn)) {
      const index = indexOf.get(name);
      if (name === task.name) {
        say('depends on itself; remove it from its dependsOn.');
      } else if (index === undefined) {
        const hint = suggest(name, indexOf.keys());
        say(`depends on ${formatRule(name)}, which is not a task of this workflow.${hint}`);
      } else {
        known.push(index);
      }
    }
    checkRuleNames(task, say, suggest);
    return known;
  });

  const ordering = orderGraph(dependsOn);
  if (ordering.ok) return ordering.order;
  for (const cycle of ordering.cycles.slice(0, MAX_CYCLES)) {
    const names = cycle.map((index) => assertDefined(workflow.tasks[index]).name);
    report(
      `${label} has a cycle: ${formatCycle(names)} (each depends on the next). Remove one of these dependencies.`,
    );
  }
  return [];
}

function indexNames(
  tasks: readonly TaskSpec[],
  onDuplicate: (name: string) => void,
): Map<string, number> {
  const indexOf = new Map<string, number>();
  const duplicates = new Set<string>();
  tasks.forEach(({ name }, index) => {
    if (!indexOf.has(name)) indexOf.set(name, index);
    // A task without a name was reported already.
    else if (name !== '') duplicates.add(name);
  });
  duplicates.forEach(onDuplicate);
  return indexOf;
}

function repeated(names: readonly string[]): Set<string> {
  const seen = new Set<string>();
  return new Set(names.filter((name) => seen.size === seen.add(name).size));
}

function checkRuleNames(task: TaskSpec, say: Report, suggest: Suggest): void {
  if (task.rule === null) return;
  const dependencies = new Set(task.dependsOn);
  for (const name of tasksNamedBy(task.rule)) {
    if (dependencies.has(name)) continue;
    const hint = suggest(name, dependencies);
    say(
      `has a rule on ${formatRule(name)}, which is not in its dependsOn; add it there, or remove it from the rule.${hint}`,
    );
  }
}

function formatCycle(names: readonly string[]): string {
  const round = [...names, ...names.slice(0, 1)];
  const shown =
    round.length <= 2 * CYCLE_END + 1
      ? round
      : [
          ...round.slice(0, CYCLE_END),
          `… ${round.length - 2 * CYCLE_END} more …`,
          ...round.slice(-CYCLE_END),
        ];
  return shown.join(' → ');
}
