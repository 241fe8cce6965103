import { checkDuration, checkFlag, checkKey, optional, type Report } from './field-check.js';
import { isRecord } from './json-equality.js';
import { checkMap } from './map-node.js';
import { PARENT_ENDS } from './parent-end.js';
import type { ChildNode, SleepNode, TaskNode, TimeoutOutcome, WaitNode } from './node.js';
import { formatRule } from './rule-check.js';

const TIMEOUT_OUTCOMES: readonly TimeoutOutcome[] = ['fail', 'skip', 'complete'];

/** Fills in the defaults of a node, and reports all problems. The result is only usable if there are none. */
export function checkNode(source: unknown, say: Report): TaskNode {
  const node = isRecord(source) ? source : {};
  switch (node.kind) {
    case 'wait':
      return checkWait(node, say);
    case 'sleep':
      return checkSleep(node, say);
    case 'child':
      return checkChild(node, say);
    case 'map':
      return checkMap(node, say);
    default:
      say(
        `is of the unknown kind ${formatRule(node.kind)}; this release knows 'wait', 'sleep', 'child' and 'map'`,
      );
      return { kind: 'sleep', forMs: 0 };
  }
}

function checkWait(node: Record<string, unknown>, say: Report): WaitNode {
  const { signal, event } = node;
  const hasNone = signal === undefined && event === undefined;
  if (hasNone || (signal !== undefined && event !== undefined)) {
    say('must wait for either a signal or an event; give it one of them');
  }
  const timeoutMs = checkDuration(node.timeout, 'timeout', say);
  if (timeoutMs === 0) say('has a timeout of 0; leave it out, or set a longer one');
  const onTimeout = oneOf(node.onTimeout, TIMEOUT_OUTCOMES, 'onTimeout', say);
  if (onTimeout !== undefined && timeoutMs === undefined) {
    say('has onTimeout but no timeout, so it waits forever; set a timeout, or remove onTimeout');
  }
  const limit = timeoutMs === undefined ? {} : { timeoutMs, onTimeout: onTimeout ?? 'fail' };
  if (event === undefined) {
    for (const field of ['key', 'lookback'] as const) {
      if (node[field] !== undefined) say(`has a ${field}, which only an event has; remove it`);
    }
    return { kind: 'wait', signal: hasNone ? '' : checkKey(signal, 'signal', say), ...limit };
  }
  return {
    kind: 'wait',
    event: checkKey(event, 'event', say),
    key: checkKey(node.key, 'key', say),
    ...optional('lookbackMs', checkDuration(node.lookback, 'lookback', say)),
    ...limit,
  };
}

function checkSleep(node: Record<string, unknown>, say: Report): SleepNode {
  const { until } = node;
  if ((node.for === undefined) === (until === undefined)) {
    say("must sleep either for a duration or until a time; set 'for' or 'until'");
  }
  if (until !== undefined) return { kind: 'sleep', until: checkKey(until, 'until', say) };
  const forMs = checkDuration(node.for, 'for', say);
  if (forMs === 0) say('sleeps for 0; remove it, or set a longer duration');
  return { kind: 'sleep', forMs: forMs ?? 0 };
}

function checkChild(node: Record<string, unknown>, say: Report): ChildNode {
  return {
    kind: 'child',
    workflow: checkKey(node.workflow, 'workflow', say),
    ...optional(
      'output',
      node.output === undefined ? undefined : checkKey(node.output, 'output', say),
    ),
    onParentEnd: oneOf(node.onParentEnd, PARENT_ENDS, 'onParentEnd', say) ?? 'cancel',
    mapsInput: checkFlag(node.mapsInput, 'mapsInput', false, say),
  };
}

function oneOf<T extends string>(
  value: unknown,
  known: readonly T[],
  field: string,
  say: Report,
): T | undefined {
  if (value === undefined) return undefined;
  const found = known.find((one) => one === value);
  if (found === undefined) {
    const choices = known.map((one) => `'${one}'`).join(' or ');
    say(`has the ${field} ${formatRule(value)}; it must be ${choices}`);
  }
  return found;
}
