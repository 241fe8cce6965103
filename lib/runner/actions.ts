import type { TenantEngine } from '../engine/tenant-engine.js';
import { checkCallOptions } from '../errors/call-options.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import type { ActionKind } from '../store/port/index.js';
import { textProblem } from '../workflow/index.js';
import { checkLimit } from './schedule-request.js';
import type { ServedCalls } from './served-calls.js';

/** What an `actor` did to a workflow or a schedule; see {@link CloacinaRunner.actions}. */
export interface ActionEntry {
  /** Names the entry in `before`. */
  readonly id: string;
  readonly at: Date;
  /** The call: `workflow.paused` is `pauseWorkflow`, `schedule.run` is `schedules.runNow`, and so on. */
  readonly kind: ActionKind;
  /** The name of the workflow or schedule. */
  readonly subject: string;
  /** The `actor` of the call. */
  readonly actor: string;
  /** The `reason` of the call. Absent without one. */
  readonly reason?: string;
  /** The execution that `schedules.runNow` starts. Absent for other calls. */
  readonly executionId?: string;
}

/** Which entries {@link CloacinaRunner.actions} returns. */
export interface ActionFilter {
  /** Only those of the workflow or schedule of this name. Default: of all. */
  readonly subject?: string;
  /** Only entries before the one with this id, which the page before has returned last. */
  readonly before?: string;
  /** At most 500. Default: 50. */
  readonly limit?: number;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof ActionFilter>(['subject', 'before', 'limit']);
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
  const { subject = null, before = null } = filter;
  if (subject !== null) {
    const problem =
      typeof subject === 'string'
        ? textProblem(subject)
        : `must be a string, not ${formatValue(subject)}`;
    if (problem !== undefined) throw new InvalidArgumentError('subject', problem);
  }
  if (before !== null && !(typeof before === 'string' && ID.test(before))) {
    throw new InvalidArgumentError('before', 'must be the id of an entry');
  }
  return { subject, before, limit: checkLimit(filter.limit) };
}
