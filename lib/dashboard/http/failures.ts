import type { StoredError } from '../../errors/index.js';

/**
 * Failed executions of a tenant with the same cause: workflow, task, name and code of the error, and the message without numbers
 * and ids.
 */
export interface FailureGroupRow {
  /** Names the group in `POST api/tenants/:tenant/failures/:group/retry`. The same for the same cause in every call. */
  id: string;
  /** The name of the tenant. */
  tenant: string;
  /** The name of the workflow. */
  workflow: string;
  /** The task whose failure ended the executions. Absent for a timeout of the workflow. */
  task?: string;
  /** The error of the newest execution, its message cut after 2,000 characters. */
  error: Pick<StoredError, 'name' | 'code' | 'message'>;
  /** The message with `…` in place of numbers, ids and quoted values. */
  message: string;
  /** The number of executions. */
  count: number;
  /** When the first of the executions ended. */
  firstAt: string;
  /** When the last of the executions ended. */
  lastAt: string;
  /** The ids of the newest executions, at most 10. */
  examples: string[];
}

/**
 * The causes of failures: response of `GET api/failures?tenant=…&workflow=…`. `tenant` may be repeated. Default: all tenants that
 * the user may see.
 */
export interface FailuresResponse {
  /** The groups with the most executions first; at most 500. */
  groups: FailureGroupRow[];
  /**
   * Whether all Failed executions were read. If not, the counts are lower limits: of each tenant the newest 2,000 are read, and
   * tenants that take longer than the page waits are left to the next call.
   */
  isComplete: boolean;
}
