import { isExecutionEnded, type ExecutionStatus } from '../../workflow/index.js';
import type { ExplainReason } from './explain-reason.js';
import { given } from './facts.js';
import { pausedText } from './reason-text.js';
import type { TaskExplanation } from './explanation.js';

/** Which cause the summary tells, of several: those first that need someone to act. */
const ORDER: readonly ExplainReason['kind'][] = [
  'definition',
  'noProcess',
  'hungHandler',
  'recovery',
  'workflowPaused',
  'paused',
  'slots',
  'limit',
  'rate',
  'turn',
  'turnRate',
  'backoff',
  'condition',
  'signal',
  'event',
  'messages',
  'child',
  'sleep',
  'startTime',
  'due',
  'claimed',
  'running',
  'items',
  'dependencies',
];

/** The most important cause of an execution, and how many tasks there are beside. */
export function summaryOf(
  status: ExecutionStatus,
  tasks: readonly TaskExplanation[],
  open: number,
  {
    reason,
    actor,
    startBefore,
  }: {
    readonly reason: string | null;
    readonly actor?: string | undefined;
    readonly startBefore: Date | null;
  },
): string {
  if (isExecutionEnded(status)) return `The execution has ended: it is ${status}.`;
  if (status === 'Paused')
    return pausedText({ ...given('reason', reason), ...given('actor', actor) });
  const [first] = tasks.toSorted((a, b) => rank(a) - rank(b));
  if (first === undefined)
    return 'All tasks have ended, and the end of the execution is being recorded.';
  const item = first.item === undefined ? '' : `, item ${first.item}`;
  const others = open - 1;
  const rest =
    others <= 0 ? '' : ` ${others} other ${others === 1 ? 'task has' : 'tasks have'} not ended.`;
  const limit =
    startBefore === null
      ? ''
      : ` The execution is cancelled if it has not begun by ${startBefore.toISOString()}.`;
  return `Task ${JSON.stringify(first.task)}${item}: ${first.text}${rest}${limit}`;
}

function rank({ reason: { kind } }: TaskExplanation): number {
  return ORDER.indexOf(kind);
}
