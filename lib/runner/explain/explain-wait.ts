import type { OpenItems, OpenWait, TaskRow } from '../../store/port/index.js';
import type { ExecutionStatus } from '../../workflow/index.js';
import { countItems } from '../task-view.js';
import type { ExplainReason, ItemGroup } from './explain-reason.js';
import type { TaskExplanation } from './explanation.js';
import { given, isSameTask, type Facts } from './facts.js';

/** Max number of messages that the reason of a wait for several names. */
const MAX_NAMES = 20;

/** What a suspended task waits for. */
export function waitReason(facts: Facts, row: TaskRow, wait: OpenWait): ExplainReason {
  const { name, kind, since } = wait;
  const until = given('until', wait.until);
  if (kind === 'sleep') return { kind, wait: name, since, ...until };
  if (kind === 'child') return childReason(facts, wait);
  const heard = facts.listening.filter((one) => isSameTask(one, row));
  const own = heard.find((one) => one.name === name);
  if (wait.eventName === null) {
    const names = heard
      .filter((one) => one.name.startsWith(`${name}##`))
      .toSorted((a, b) => (a.eventName < b.eventName ? -1 : 1))
      .map(({ eventName, eventKey }) =>
        eventKey === row.executionId ? eventName : `${eventName} of ${JSON.stringify(eventKey)}`,
      );
    return { kind: 'messages', wait: name, names: names.slice(0, MAX_NAMES), since, ...until };
  }
  if (kind === 'signal') return { kind, wait: name, signal: wait.eventName, since, ...until };
  const key = given('key', own?.eventKey);
  return { kind, wait: name, event: wait.eventName, ...key, since, ...until };
}

function childReason(
  { children }: Facts,
  { name, since, until, childId }: OpenWait,
): ExplainReason {
  const id = childId ?? '';
  const child = children.get(id);
  return {
    kind: 'child',
    wait: name,
    since,
    child: id,
    ...(child === undefined
      ? {}
      : { workflow: child.workflow, status: child.status as ExecutionStatus }),
    ...given('until', until),
  };
}

/** What a map waits for whose items are stored. `items` are the explanations of those that stand for the groups. */
export function itemsReason(
  { groups, atEach }: Facts,
  row: TaskRow,
  items: readonly TaskExplanation[],
): ExplainReason {
  const counts = new Map<ExplainReason['kind'], number>();
  for (const group of groups) {
    if (group.taskNo !== row.taskNo) continue;
    const kind = kindOf(group, items);
    counts.set(kind, (counts.get(kind) ?? 0) + group.count);
  }
  const found: ItemGroup[] = [...counts].map(([kind, count]) => ({ kind, count }));
  found.sort((a, b) => b.count - a.count);
  const counted = countItems(row).items;
  const { total = 0, completed = 0, failed = 0, open = 0, isComplete = false } = counted ?? {};
  const isCapped = total > 2 * atEach;
  return { kind: 'items', total, completed, failed, open, isComplete, groups: found, isCapped };
}

/** The kind of cause of a group: that of an item of it which is still as it was when the group was read. */
function kindOf(
  { cause, first, last }: OpenItems,
  items: readonly TaskExplanation[],
): ExplainReason['kind'] {
  const examples = items.filter(({ item }) => item === first || item === last);
  const still = examples.find(({ status }) => (status === 'Running') === (cause === 'running'));
  return still?.reason.kind ?? (cause === 'waiting' ? 'due' : cause);
}
