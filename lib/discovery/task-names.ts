import type { TriggerRule } from '../workflow/trigger-rule.js';
import type { TaskOptions } from './options.js';
import type { TaskMetadata } from './workflow-metadata.js';

/**
 * Maps the method names of a class to task names. `dependsOn` and rules name methods, as the compiler checks; a name
 * without a method is taken as the name of a task.
 */
export function taskNamesByMethod(tasks: readonly TaskMetadata[]): ReadonlyMap<string, string> {
  return new Map(tasks.map(({ method, options }) => [method, options.name ?? method]));
}

/** Replaces method names in `dependsOn` and `when` by task names. Malformed values stay; the check reports them. */
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
