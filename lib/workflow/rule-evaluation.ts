import type { ContextView } from './context-view.js';
import { decodeJson } from './json-value.js';
import { jsonEquals } from './json-equality.js';
import type { SkipReason, TaskStatus } from './states.js';
import type { ContextRule, TaskRule, TriggerRule } from './trigger-rule.js';

/** How a dependency ended. */
export interface DependencyOutcome {
  /** A terminal status. */
  readonly status: TaskStatus;
  /** The reason, if the status is Skipped. */
  readonly skipReason?: SkipReason;
}

/** The facts that a rule is evaluated on. */
export interface RuleFacts {
  /** The outcomes of all dependencies, in any order. */
  readonly outcomes: readonly DependencyOutcome[];
  outcomeOf(taskName: string): DependencyOutcome;
  readonly context: ContextView;
}

/** Whether a rule is true, and whether an upstream failure is among the reasons for that. */
export interface RuleVerdict {
  readonly holds: boolean;
  readonly byFailure: boolean;
}

/** Whether the dependency Failed, was Cancelled, or could not run because of a failure. */
export function isFailure(outcome: DependencyOutcome): boolean {
  return outcome.status === 'Failed' || isBlocked(outcome);
}

function isBlocked(outcome: DependencyOutcome): boolean {
  if (outcome.status === 'Skipped') return outcome.skipReason === 'upstreamFailure';
  return outcome.status === 'Cancelled';
}

/** Evaluates a rule once all dependencies are terminal. */
export function evaluateRule(rule: TriggerRule, facts: RuleFacts): RuleVerdict {
  switch (rule.kind) {
    case 'always':
      return { holds: true, byFailure: false };
    case 'notFailed': {
      const failed = facts.outcomes.some(isFailure);
      return { holds: !failed, byFailure: failed };
    }
    case 'taskSucceeded':
    case 'taskFailed':
    case 'taskSkipped':
      return evaluateTaskRule(rule, facts.outcomeOf(rule.task));
    case 'contextValue':
      return { holds: evaluateContextRule(rule, facts.context), byFailure: false };
    case 'all': {
      const verdicts = rule.rules.map((inner) => evaluateRule(inner, facts));
      return verdictOf(verdicts, !verdicts.some((verdict) => !verdict.holds), false);
    }
    case 'any': {
      const verdicts = rule.rules.map((inner) => evaluateRule(inner, facts));
      return verdictOf(
        verdicts,
        verdicts.some((verdict) => verdict.holds),
        true,
      );
    }
    case 'none': {
      const verdicts = rule.rules.map((inner) => evaluateRule(inner, facts));
      const { holds, byFailure } = verdictOf(
        verdicts,
        verdicts.some((verdict) => verdict.holds),
        true,
      );
      return { holds: !holds, byFailure };
    }
  }
}

/**
 * The verdict of a group. `decisive` is the value of a member that decides the group alone: true for `any`, false for
 * `all`. If a member decided the group, only such members are reasons for the verdict. Otherwise all members are.
 */
function verdictOf(
  verdicts: readonly RuleVerdict[],
  holds: boolean,
  decisive: boolean,
): RuleVerdict {
  const reasons =
    holds === decisive ? verdicts.filter((verdict) => verdict.holds === decisive) : verdicts;
  return { holds, byFailure: reasons.some((verdict) => verdict.byFailure) };
}

function evaluateTaskRule(rule: TaskRule, outcome: DependencyOutcome): RuleVerdict {
  switch (rule.kind) {
    case 'taskSucceeded': {
      const holds = outcome.status === 'Completed';
      return { holds, byFailure: isFailure(outcome) };
    }
    case 'taskFailed':
      // A task that could not run because of a failure might have failed too, so the failure is a reason here.
      return { holds: outcome.status === 'Failed', byFailure: isFailure(outcome) };
    case 'taskSkipped':
      return { holds: outcome.status === 'Skipped', byFailure: isBlocked(outcome) };
  }
}

function evaluateContextRule(rule: ContextRule, context: ContextView): boolean {
  const entry = context.get(rule.key);
  const there = entry?.json !== undefined;
  const actual = entry?.json === undefined ? undefined : decodeJson(entry.json);
  switch (rule.operator) {
    case 'exists':
      return there;
    case 'notExists':
      return !there;
    case 'equals':
      return jsonEquals(actual, rule.value);
    case 'notEquals':
      return !jsonEquals(actual, rule.value);
    case 'greaterThan':
      return typeof actual === 'number' && typeof rule.value === 'number' && actual > rule.value;
    case 'lessThan':
      return typeof actual === 'number' && typeof rule.value === 'number' && actual < rule.value;
    case 'contains':
      return contains(actual, rule.value);
    case 'notContains':
      return !contains(actual, rule.value);
  }
}

function contains(actual: unknown, wanted: unknown): boolean {
  if (Array.isArray(actual)) return actual.some((member) => jsonEquals(member, wanted));
  return typeof actual === 'string' && typeof wanted === 'string' && actual.includes(wanted);
}
