/** The comparisons of {@link contextValue}. */
export type ContextOperator =
  | 'equals'
  | 'notEquals'
  | 'greaterThan'
  | 'lessThan'
  | 'contains'
  | 'notContains'
  | 'exists'
  | 'notExists';

/** A condition on the outcome of one dependency. */
export interface TaskRule<Task extends string = string, Kind extends TaskRuleKind = TaskRuleKind> {
  /** The status that the rule asks for. */
  readonly kind: Kind;
  /** The name of the dependency. */
  readonly task: Task;
}

/** What a {@link TaskRule} asks of the task's status. */
export type TaskRuleKind = 'taskSucceeded' | 'taskFailed' | 'taskSkipped';

/** A condition on one key of the task's context. */
export interface ContextRule<Key extends string = string> {
  /** The kind of the rule. */
  readonly kind: 'contextValue';
  /** The key of the context. */
  readonly key: Key;
  /** The comparison. */
  readonly operator: ContextOperator;
  /** The value that the comparison takes. Absent for `exists` and `notExists`. */
  readonly value?: unknown;
}

/** A condition on several rules. */
export interface GroupRule<
  Rules extends readonly unknown[] = readonly TriggerRule[],
  Kind extends GroupRuleKind = GroupRuleKind,
> {
  /** How the rules are joined. */
  readonly kind: Kind;
  /** The joined rules. */
  readonly rules: Rules;
}

/** How a {@link GroupRule} joins its rules. */
export type GroupRuleKind = 'all' | 'any' | 'none';

/** A condition on all dependencies together. */
export interface DependenciesRule {
  /** `always`: the task runs. `notFailed`: it runs unless a dependency failed or was skipped because of a failure. */
  readonly kind: 'always' | 'notFailed';
}

/**
 * Decides whether a task runs, after all its dependencies have ended. Plain JSON.
 *
 * `Task` are the names of dependencies, and `Key` the keys of the context, that the rule may contain.
 */
export type TriggerRule<Task extends string = string, Key extends string = string> =
  | TaskRule<Task>
  | ContextRule<Key>
  | GroupRule<readonly TriggerRule<Task, Key>[]>
  | DependenciesRule;

/** True if the dependency `task` is Completed. */
export function taskSucceeded<Task extends string>(task: Task): TaskRule<Task, 'taskSucceeded'> {
  return { kind: 'taskSucceeded', task };
}

/** True if the dependency `task` is Failed. A task that runs by this rule and completes handles the failure. */
export function taskFailed<Task extends string>(task: Task): TaskRule<Task, 'taskFailed'> {
  return { kind: 'taskFailed', task };
}

/** True if the dependency `task` is Skipped, for any reason. */
export function taskSkipped<Task extends string>(task: Task): TaskRule<Task, 'taskSkipped'> {
  return { kind: 'taskSkipped', task };
}

/**
 * True if the comparison of the context's `key` with `value` is true. `value` must be JSON.
 *
 * - `equals`: deep equality of JSON, in any order of keys. A missing key equals no value, not even null.
 * - `greaterThan`, `lessThan`: compare two numbers. False for other types.
 * - `contains`: a string contains the substring, or an array contains a member that equals `value`. False for other
 *   types.
 * - `exists`: the context has the key, also with the value null. Takes no `value`.
 * - `notEquals`, `notContains`, `notExists`: the opposites of the others, so they are true for a missing key.
 *
 * @example
 * ```ts
 * @Task({ dependsOn: ['validate'], when: contextValue('rejected', 'greaterThan', 0) })
 * ```
 */
export function contextValue<Key extends string>(
  key: Key,
  operator: ContextOperator,
  value?: unknown,
): ContextRule<Key> {
  return value === undefined
    ? { kind: 'contextValue', key, operator }
    : { kind: 'contextValue', key, operator, value };
}

/** True if all rules are true. True without rules. */
export function all<const Rules extends readonly TriggerRule[]>(
  ...rules: Rules
): GroupRule<Rules, 'all'> {
  return { kind: 'all', rules };
}

/** True if at least one rule is true. False without rules. */
export function any<const Rules extends readonly TriggerRule[]>(
  ...rules: Rules
): GroupRule<Rules, 'any'> {
  return { kind: 'any', rules };
}

/** True if no rule is true. True without rules. */
export function none<const Rules extends readonly TriggerRule[]>(
  ...rules: Rules
): GroupRule<Rules, 'none'> {
  return { kind: 'none', rules };
}

/** True for all outcomes of the dependencies. */
export function always(): DependenciesRule {
  return { kind: 'always' };
}

/**
 * True unless a dependency Failed, was Cancelled, or was skipped because of a failure. For a task that joins an
 * optional branch.
 */
export function notFailed(): DependenciesRule {
  return { kind: 'notFailed' };
}

/**
 * All trigger rules under one name, for files in which `all`, `any` or `none` mean something else.
 *
 * @example
 * ```ts
 * @Task({ dependsOn: ['charge', 'check'], when: rules.any(rules.taskFailed('charge'), rules.taskFailed('check')) })
 * ```
 */
export const rules = {
  all,
  any,
  none,
  always,
  notFailed,
  taskSucceeded,
  taskFailed,
  taskSkipped,
  contextValue,
} as const;

/** The tasks that the rule names, without duplicates, in order of appearance. */
export function tasksNamedBy(rule: TriggerRule): string[] {
  const names = new Set<string>();
  visit(rule, (leaf) => {
    if ('task' in leaf) names.add(leaf.task);
  });
  return [...names];
}

/** The tasks with `taskFailed` in the rule, outside of `none`. A task with this rule handles their failure. */
export function handledFailures(rule: TriggerRule): string[] {
  const names = new Set<string>();
  visit(rule, (leaf, underNone) => {
    if (leaf.kind === 'taskFailed' && !underNone) names.add(leaf.task);
  });
  return [...names];
}

/** Whether the rule reads the context. Only then is it joined before the decision. */
export function readsContext(rule: TriggerRule): boolean {
  let reads = false;
  visit(rule, (leaf) => {
    reads ||= leaf.kind === 'contextValue';
  });
  return reads;
}

function visit(
  rule: TriggerRule,
  onLeaf: (leaf: Exclude<TriggerRule, GroupRule>, underNone: boolean) => void,
  underNone = false,
): void {
  if (!('rules' in rule)) return onLeaf(rule, underNone);
  for (const inner of rule.rules) visit(inner, onLeaf, underNone || rule.kind === 'none');
}
