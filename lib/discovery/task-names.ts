import type { TriggerRule } from '../workflow/trigger-rule.js';
import type { TaskOptions } from './options.js';
import type { TaskMetadata } from './workflow-metadata.js';

/**
 * The name of the task that each of a class's methods is. What `dependsOn` and rules name is a method, as the compiler
 * checks it; a name that is no method is a task's already.
 */
export function taskNamesByMethod(tasks: readonly TaskMetadata[]): ReadonlyMap<string, string> {
  return new Map(tasks.map(({ method, options }) => [method, options.name ?? method]));
}

/** The options with every method's name replaced by its task's. What is malformed is left for the check to report. */
export function withTaskNames(
  options: TaskOptions,
  taskNames: ReadonlyMap<string, string>,
): Pick<TaskOptions, 'dependsOn' | 'when'> {
  const rename = (name: string): string => taskNames.get(name) ?? name;
  const { dependsOn, when } = options;
  return {
    ...(dependsOn === undefined
      ? {}
      : { dependsOn: Array.isArray(dependsOn) ? dependsOn.map(rename) : dependsOn }),
    ...(when === undefined ? {} : { when: renameInRule(when, rename) }),
  };
}

function renameInRule(rule: TriggerRule, rename: (name: string) => string): TriggerRule {
  if (typeof rule !== 'object' || rule === null) return rule;
  if ('rules' in rule && Array.isArray(rule.rules)) {
    return { ...rule, rules: rule.rules.map((inner: TriggerRule) => renameInRule(inner, rename)) };
  }
  return 'task' in rule ? { ...rule, task: rename(rule.task) } : rule;
}
