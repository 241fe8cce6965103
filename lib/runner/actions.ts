import type { TenantEngine } from '../engine/tenant-engine.js';
import { checkCallOptions } from '../errors/call-options.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import { textProblem } from '../workflow/index.js';
import type { ActionEntry, ActionFilter } from './action-entry.js';
import { checkLimit } from './schedule-request.js';
import type { ServedCalls } from './served-calls.js';

const OPTIONS: ReadonlySet<string> = new Set<keyof ActionFilter>([
  'subject',
  'actor',
  'before',
  'limit',
]);
const ID = /^\d{1,18}$/;

export interface ActionCallsParts {
  readonly engine: Pick<TenantEngine, 'store'>;
  readonly served: Pick<ServedCalls, 'run'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/** Lists what was done to workflows and schedules. */
export class ActionCalls {
  constructor(private readonly parts: ActionCallsParts) {}

  list(filter: ActionFilter = {}): Promise<ActionEntry[]> {
    const { engine, served, whileUnavailable } = this.parts;
    return served.run(async () => {
      const query = checkFilter(filter);
      const rows = await whileUnavailable.run(() => engine.store.actions.list(query));
      return rows.map(({ reason, executionId, ...entry }) => ({
        ...entry,
        ...(reason === null ? {} : { reason }),
        ...(executionId === null ? {} : { executionId }),
      }));
    });
  }
}

function checkFilter(filter: ActionFilter) {
  checkCallOptions('actions()', filter, OPTIONS);
  const { subject = null, actor = null, before = null } = filter;
  checkText('subject', subject);
  checkText('actor', actor);
  if (before !== null && !(typeof before === 'string' && ID.test(before))) {
    throw new InvalidArgumentError('before', 'must be the id of an entry');
  }
  return { subject, actor, before, limit: checkLimit(filter.limit) };
}

function checkText(name: string, value: string | null): void {
  if (value === null) return;
  const problem =
    typeof value === 'string' ? textProblem(value) : `must be a string, not ${formatValue(value)}`;
  if (problem !== undefined) throw new InvalidArgumentError(name, problem);
}
