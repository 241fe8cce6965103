import { decodeJson, encodeJson } from './json-value.js';
import { isRecord } from './json-equality.js';
import { textProblem } from './text.js';
import type { ContextOperator, ContextRule, TriggerRule } from './trigger-rule.js';

/**
 * Max levels of nested rules. Deeper rules are not readable. The limit also bounds the size of a rule whose groups
 * contain the same rule twice, which doubles with each level.
 */
const MAX_RULE_DEPTH = 20;
const RULE_KINDS =
  'taskSucceeded, taskFailed, taskSkipped, contextValue, all, any, none, always or notFailed';

/** Whether each operator compares with a value. */
const OPERATORS: Readonly<Record<ContextOperator, boolean>> = {
  equals: true,
  notEquals: true,
  greaterThan: true,
  lessThan: true,
  contains: true,
  notContains: true,
  exists: false,
  notExists: false,
};

/**
 * The rule as it is stored: known parts only, plain JSON, not shared. Problems are reported, each as the rest
 * of a sentence that begins with the rule's owner; then the result is of no use.
 */
export function checkRule(
  rule: unknown,
  report: (problem: string) => void,
  inside: readonly unknown[] = [],
): TriggerRule {
  if (!isRecord(rule)) {
    report(
      'has a rule that is not a trigger rule; make it with taskSucceeded(), all() or another rule function',
    );
    return { kind: 'always' };
  }
  const { kind } = rule;
  switch (kind) {
    case 'always':
    case 'notFailed':
      return { kind };
    case 'taskSucceeded':
    case 'taskFailed':
    case 'taskSkipped':
      if (typeof rule.task === 'string') return { kind, task: rule.task };
      report(`has a ${kind} without the name of a task`);
      return { kind: 'always' };
    case 'contextValue':
      return checkContextRule(rule, report);
    case 'all':
    case 'any':
    case 'none':
      if (inside.includes(rule)) {
        report('has a rule that contains itself');
      } else if (inside.length >= MAX_RULE_DEPTH) {
        report(`has a rule of more than ${MAX_RULE_DEPTH} levels; make it flatter`);
      } else if (Array.isArray(rule.rules)) {
        const around = [...inside, rule];
        // Array.from does not skip holes, unlike map().
        return { kind, rules: Array.from(rule.rules, (inner) => checkRule(inner, report, around)) };
      } else {
        report(`has ${article(kind)} ${kind} without a list of rules`);
      }
      return { kind: 'always' };
    default:
      report(`has a rule of unknown kind ${formatRule(kind)}; it must be ${RULE_KINDS}`);
      return { kind: 'always' };
  }
}

function checkContextRule(
  rule: Record<string, unknown>,
  report: (problem: string) => void,
): ContextRule {
  const { key, operator, value } = rule;
  const unusable: ContextRule = { kind: 'contextValue', key: '', operator: 'exists' };
  if (typeof key !== 'string') {
    report('has a contextValue without a key');
    return unusable;
  }
  const where = `has a contextValue of ${JSON.stringify(key)}`;
  const problem = textProblem(key);
  if (problem !== undefined) report(`${where}, a key that ${problem}`);
  if (!isOperator(operator)) {
    report(
      `${where} with the unknown operator ${formatRule(operator)}; it must be one of ${Object.keys(OPERATORS).join(', ')}`,
    );
    return unusable;
  }
  if (!OPERATORS[operator]) {
    if (value !== undefined)
      report(`${where} with a value, which ${operator} does not take; leave it out`);
    return { kind: 'contextValue', key, operator };
  }
  if (value === undefined) {
    report(`${where} without a value, which ${operator} needs`);
    return unusable;
  }
  const encoded = encodeJson(value);
  if (!encoded.ok) {
    const at = encoded.path === '' ? '' : ` at ${encoded.path}`;
    report(`${where} with a value that JSON cannot carry:${at} it ${encoded.problem}`);
    return unusable;
  }
  return { kind: 'contextValue', key, operator, value: decodeJson(encoded.json) };
}

function isOperator(operator: unknown): operator is ContextOperator {
  return typeof operator === 'string' && Object.hasOwn(OPERATORS, operator);
}

function article(kind: string): string {
  return kind === 'none' ? 'a' : 'an';
}

/** A value of any type, for a message. */
export function formatRule(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 100 ? `${value.slice(0, 99)}…` : value);
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
