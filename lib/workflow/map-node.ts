import { checkFlag, checkKey, optional, type Report } from './field-check.js';
import { isRecord } from './json-equality.js';
import { PARENT_ENDS, type ParentEnd } from './parent-end.js';
import { formatRule } from './rule-check.js';

/** The default maximum number of items of a map. */
const DEFAULT_MAX_ITEMS = 10_000;
/** The largest number that `maxItems` may be. */
const MOST_ITEMS = 1_000_000;
/** The largest number that `concurrency` may be: who holds the slots is kept in one row. */
const MOST_CONCURRENCY = 1_000;
/** The largest number that `chunk` may be. */
const MOST_CHUNK = 10_000;

/**
 * What the failure of items does to their map:
 *
 * - `'fail'`: all items run, and one Failed item makes the map Failed.
 * - `'failFast'`: the first Failed item cancels the items that have not ended, and the map is Failed.
 * - `'continue'`: the map is Completed, whatever its items are.
 * - `tolerate`: the map is Failed if more items failed than this: a number of items, or below 1 a share of all.
 */
export type ItemFailureRule = 'fail' | 'failFast' | 'continue' | { readonly tolerate: number };

/** A map before its checks. */
export interface MapSource {
  readonly kind: 'map';
  /** The name of the workflow that each item starts. Absent: each item has a handler. */
  readonly workflow?: string | undefined;
  /** As for a child. */
  readonly output?: string | undefined;
  readonly onParentEnd?: ParentEnd | undefined;
  readonly maxItems?: number | undefined;
  readonly chunk?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly collect?: boolean | undefined;
  readonly onItemFailure?: ItemFailureRule | undefined;
}

/** A checked map: a task that runs once for each item. */
export interface MapNode {
  /** The kind of the node. */
  readonly kind: 'map';
  /** The name of the workflow that each item starts. Absent if each item has a handler. */
  readonly workflow?: string;
  /** The key of a child's context that is the value of its item. Absent: the whole context. */
  readonly output?: string;
  /** What happens to children that have not ended when this execution is Cancelled or Failed. */
  readonly onParentEnd?: ParentEnd;
  /** The largest number of items. */
  readonly maxItems: number;
  /** The number of items that the handler gets at a time. Absent: one, by itself. */
  readonly chunk?: number;
  /** The number of items that run at a time, in all processes. Absent: no limit of its own. */
  readonly concurrency?: number;
  /** Whether the values of the items are stored in the context, in place of a summary. */
  readonly collect: boolean;
  /** What the failure of items does to the map. */
  readonly onItemFailure: ItemFailureRule;
}

/** Fills in the defaults of a map, and reports all problems. */
export function checkMap(node: Record<string, unknown>, say: Report): MapNode {
  const workflow =
    node.workflow === undefined ? undefined : checkKey(node.workflow, 'workflow', say);
  if (workflow !== undefined && node.chunk !== undefined) {
    say('has a chunk, but each item starts an execution of its own; remove chunk');
  }
  const output = node.output === undefined ? undefined : checkKey(node.output, 'output', say);
  return {
    kind: 'map',
    ...optional('workflow', workflow),
    ...optional('output', output),
    ...optional('onParentEnd', workflow === undefined ? undefined : parentEnd(node, say)),
    maxItems: count(node.maxItems, 'maxItems', MOST_ITEMS, say) ?? DEFAULT_MAX_ITEMS,
    ...optional('chunk', count(node.chunk, 'chunk', MOST_CHUNK, say)),
    ...optional('concurrency', count(node.concurrency, 'concurrency', MOST_CONCURRENCY, say)),
    collect: checkFlag(node.collect, 'collect', false, say),
    onItemFailure: failureRule(node.onItemFailure, say),
  };
}

function parentEnd({ onParentEnd }: Record<string, unknown>, say: Report): ParentEnd {
  const found = PARENT_ENDS.find((one) => one === onParentEnd);
  if (onParentEnd !== undefined && found === undefined) {
    say(`has the onParentEnd ${formatRule(onParentEnd)}; it must be 'cancel' or 'abandon'`);
  }
  return found ?? 'cancel';
}

function count(value: unknown, field: string, most: number, say: Report): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) {
    return value;
  }
  say(`has the ${field} ${formatRule(value)}; it must be a whole number from 1 to ${most}`);
  return undefined;
}

function failureRule(rule: unknown, say: Report): ItemFailureRule {
  if (rule === undefined) return 'fail';
  if (rule === 'fail' || rule === 'failFast' || rule === 'continue') return rule;
  if (isRecord(rule) && Object.keys(rule).length === 1 && isTolerable(rule.tolerate)) {
    return { tolerate: rule.tolerate };
  }
  say(
    `has the onItemFailure ${formatRule(rule)}; it must be 'fail', 'failFast', 'continue', or { tolerate } with a number of items, or with a share between 0 and 1`,
  );
  return 'fail';
}

function isTolerable(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && (value < 1 || Number.isInteger(value));
}

/** Whether this number of Failed items makes a map of `total` items Failed. */
export function failsMap(rule: ItemFailureRule, failed: number, total: number): boolean {
  if (failed === 0 || rule === 'continue') return false;
  if (typeof rule === 'string') return true;
  return failed > (rule.tolerate < 1 ? rule.tolerate * total : rule.tolerate);
}
