import type { WaitingTurn } from '../store/port/index.js';
import { splitAdmissionKey, turnPolicyOf } from '../workflow/index.js';
import type { TaskWaiting } from './execution.js';
import type { TurnState } from './turn-reader.js';

/** Max holders that a sentence names. */
const MAX_NAMED = 3;

/** What an execution waits for that has no slot of its admission yet. */
export function turnWaiting(
  { key: stored, at }: WaitingTurn,
  now: number,
  turns: ReadonlyMap<string, TurnState>,
): TaskWaiting {
  if (at.getTime() > now) {
    return { reason: 'time', detail: `It is due at ${at.toISOString()}.`, until: at };
  }
  const { workflow, key } = splitAdmissionKey(stored);
  const of = key === '' ? '' : ` for ${JSON.stringify(key)}`;
  const waits =
    turnPolicyOf(workflow) === undefined
      ? `It waits for its turn of workflow ${JSON.stringify(workflow)}${of}`
      : `It waits for its turn of schedule ${JSON.stringify(key)}`;
  const state = turns.get(stored);
  if (state === undefined) return { reason: 'turn', detail: `${waits}.` };
  const { holders, concurrency, waiting, nextAt } = state;
  const others = waiting > 1 ? ` ${waiting} executions wait.` : '';
  if (holders.length < concurrency && nextAt !== undefined) {
    const detail = `${waits}: its rate allows the next execution at ${nextAt.toISOString()}.${others}`;
    return { reason: 'turn', detail, until: nextAt };
  }
  const named = holders.slice(0, MAX_NAMED);
  const more = holders.length > named.length ? ` and ${holders.length - named.length} more` : '';
  const by = named.length === 0 ? '' : `, held by ${named.join(', ')}${more}`;
  return {
    reason: 'turn',
    detail: `${waits}: ${holders.length} of ${concurrency} run${by}.${others}`,
  };
}
