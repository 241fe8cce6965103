/** How {@link contextValue} compares. */
export type ContextOperator =
  | 'equals'
  | 'notEquals'
  | 'greaterThan'
  | 'lessThan'
  | 'contains'
  | 'notContains'
  | 'exists'
  | 'notExists';

/** A condition on one dependency's end. */
export interface TaskRule<Task extends string = string, Kind extends TaskRuleKind = TaskRuleKind> {
  readonly kind: Kind;
  readonly task: Task;
}
type TaskRuleKind = 'taskSucceeded' | 'taskFailed' | 'taskSkipped';

/** A condition on one key of the context with which the task would start. */
export interface ContextRule<Key extends string = string> {
  readonly kind: 'contextValue';
  readonly key: Key;
  readonly operator: ContextOperator;
  readonly value?: unknown;
}
/** Rules taken together. */
export interface GroupRule<
  Rules extends readonly unknown[] = readonly TriggerRule[],
  Kind extends GroupRuleKind = GroupRuleKind,
> {
  readonly kind: Kind;
  readonly rules: Rules;
}
type GroupRuleKind = 'all' | 'any' | 'none';

/** A condition on all dependencies at once. */
export interface DependenciesRule {
  readonly kind: 'always' | 'notFailed';
}
/**
 * When a task runs, decided once all its dependencies are terminal. Plain JSON.
 *
 * `Task` are the dependencies that it may name, `Key` the keys of the context.
 */
export type TriggerRule<Task extends string = string, Key extends string = string> =
  | TaskRule<Task>
  | ContextRule<Key>
  | GroupRule<readonly TriggerRule<Task, Key>[]>
  | DependenciesRule;

/** Holds when the dependency `task` Completed. */
export function taskSucceeded<Task extends string>(task: Task): TaskRule<Task, 'taskSucceeded'> {
  return { kind: 'taskSucceeded', task };
}

/** Holds when the dependency `task` Failed; a task that runs by it and completes handles that failure. */
export function taskFailed<Task extends string>(task: Task): TaskRule<Task, 'taskFailed'> {
  return { kind: 'taskFailed', task };
}

/** Holds when the dependency `task` was Skipped, for whichever reason. */
export function taskSkipped<Task extends string>(task: Task): TaskRule<Task, 'taskSkipped'> {
  return { kind: 'taskSkipped', task };
}

/**
 * Holds when the context's `key` compares so with `value`, which must be JSON.
 *
 * - `equals`: deep equality of JSON, whatever the order of keys. A key that is not there equals nothing, not even null.
 * - `greaterThan`, `lessThan`: of two numbers; false of anything else.
 * - `contains`: a string has the substring, or an array has a member that equals `value`; false of anything else.
 * - `exists`: the key is there, be it null. A deleted key is not there. Takes no `value`.
 * - `notEquals`, `notContains`, `notExists`: exactly when the other does not hold; so they hold of a missing key.
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

/** Holds when every rule does; so it holds without any. */
export function all<const Rules extends readonly TriggerRule[]>(
  ...rules: Rules
): GroupRule<Rules, 'all'> {
  return { kind: 'all', rules };
}

/** Holds when at least one rule does; so it doesn't without any. */
export function any<const Rules extends readonly TriggerRule[]>(
  ...rules: Rules
): GroupRule<Rules, 'any'> {
  return { kind: 'any', rules };
}

/** Holds when no rule does; so it holds without any. */
export function none<const Rules extends readonly TriggerRule[]>(
  ...rules: Rules
): GroupRule<Rules, 'none'> {
  return { kind: 'none', rules };
}

/** Holds however the dependencies ended. */
export function always(): DependenciesRule {
  return { kind: 'always' };
}

/** Holds unless a dependency Failed or was skipped because of a failure. For the join after an optional branch. */
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

/** The tasks that the rule names, each once, in order of appearance. */
export function tasksNamedBy(rule: TriggerRule): string[] {
  const names = new Set<string>();
  visit(rule, (leaf) => {
    if ('task' in leaf) names.add(leaf.task);
  });
  return [...names];
}

/** The tasks of which the rule says `taskFailed`, not under a `none`: those whose failure the task handles by completing. */
export function handledFailures(rule: TriggerRule): string[] {
  const names = new Set<string>();
  visit(rule, (leaf, underNone) => {
    if (leaf.kind === 'taskFailed' && !underNone) names.add(leaf.task);
  });
  return [...names];
}

/** Whether the rule asks for the context, which is then worth joining before the decision. */
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
