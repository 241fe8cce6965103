import type { ExecutionQuery } from './executions.js';

/**
 * What an action changed: the response of every action. Empty for an action that has nothing to count.
 *
 * All actions are `POST` with a JSON body (`content-type: application/json`, at least `{}`) and the header
 * `x-cloacina-action: 1`.
 *
 * Problems: 403 `ACTION_HEADER_MISSING` without the header, 415 `NOT_JSON` for another content type, 403 `READ_ONLY` if the
 * dashboard is read-only, 400 `INVALID_ARGUMENT` for an invalid body, 409 `INVALID_TRANSITION` if the status of the execution
 * does not allow the action.
 *
 * @example
 * ```ts
 * const response = await fetch(`https://example.com/cloacina/api/tenants/acme/executions/${id}/cancel`, {
 *   method: 'POST',
 *   headers: { 'content-type': 'application/json', 'x-cloacina-action': '1' },
 *   body: JSON.stringify({ reason: 'the customer called' } satisfies ReasonBody),
 * });
 * ```
 */
export interface ActionResponse {
  /** The id of the execution that the action started: that of `run`, and the operation of a large bulk action or backfill. */
  executionId?: string;
  /** How many executions match the filter of a bulk action, or how many times are in the range of a backfill. */
  matched?: number;
  /** Whether more may match than were counted: a dry run of a bulk action counts up to 10,000. Absent for other actions. */
  isCapped?: boolean;
  /** How many executions were changed, or started by a backfill. With `dryRun` it is 0. */
  changed?: number;
}

/** Body of `POST …/executions/:id/cancel` and `…/pause`, and of `…/resume`, which has no `reason`. */
export interface ReasonBody {
  /** Why, for people. Stored in the history. Default: none. */
  reason?: string;
  /** Whether the executions under it are paused or resumed too. Default: `false`. Not for `cancel`. */
  tree?: boolean;
}

/** Body of `POST …/executions/:id/retry`. */
export interface RetryBody {
  /** Whether the recorded steps of the tasks are kept. Default: `keep`. */
  steps?: 'keep' | 'discard';
  /** Which items of a map run again. Default: `failed`, those that did not complete. */
  items?: 'failed' | 'all';
}

/**
 * Body of `POST …/executions/:id/signal`. If the running code defines the signal, its schema checks the payload.
 *
 * Problem: 400 `INVALID_CONTEXT` for a payload that the schema refuses.
 */
export interface SignalBody {
  /** The name of the signal. */
  name: string;
  /** The payload, any JSON. */
  payload: unknown;
  /** A later signal with this key and name is dropped. Default: none. */
  idempotencyKey?: string;
}

/** Body of `POST api/tenants/:tenant/bulk`: changes all executions that match a filter. */
export interface BulkBody {
  /** What to do to each execution. */
  action: 'cancel' | 'pause' | 'resume' | 'retry';
  /** At least one condition, or `all: true`. */
  filter: Omit<ExecutionQuery, 'limit' | 'cursor'> & { all?: true };
  /** `true`: only `matched` is counted, up to 10,000, and nothing is changed. Default: `false`. */
  dryRun?: boolean;
  /** Why, for people. Stored in the history, for `cancel` and `pause`. Default: none. */
  reason?: string;
}

/**
 * Body of `POST api/tenants/:tenant/failures/:group/retry`: retries the executions of a group of failures.
 *
 * Problem: 404 `UNKNOWN_FAILURES` if the tenant no longer has such a group.
 */
export interface RetryGroupBody {
  /** `true`: only `matched` is counted, and nothing is changed. Default: `false`. */
  dryRun?: boolean;
}

/** Body of `POST …/schedules/:name/pause` (`reason`) and `/resume` (`catchUp`). That of `/run` is `{}`. */
export interface ScheduleBody {
  /** Why, for people. Default: none. */
  reason?: string;
  /** What to make up for of the firings in the pause: nothing, or the latest. Default: `skip`. */
  catchUp?: 'skip' | 'once';
}

/** Body of `POST …/schedules/:name/backfill`: starts an execution for each time of the schedule in a range. */
export interface BackfillBody {
  /** The first time of the range, in ISO 8601. */
  from: string;
  /** The last time of the range, in ISO 8601. */
  to: string;
  /**
   * What happens to a time while the execution of the time before still runs: `allow` starts all at once, `queue` one after the
   * other, `skip` starts nothing for it, `cancelPrevious` cancels the execution before, so only the last one is sure to run.
   * Default: `allow`.
   */
  overlap?: 'allow' | 'cancelPrevious' | 'queue' | 'skip';
  /** `true`: only `matched` is counted, and nothing is started. Default: `false`. */
  dryRun?: boolean;
}
