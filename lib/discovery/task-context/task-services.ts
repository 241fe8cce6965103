import type { Logger } from '@nestjs/common';
import type { DataSource, EntityManager } from 'typeorm';

/** The {@link CloacinaRunner} of a task's tenant. */
// oxlint-disable-next-line typescript/no-empty-object-type -- lib/runner declares its members
export interface TaskRunner {}

/** The services of a task's tenant. */
export interface TaskServices {
  /** A Nest logger that names the tenant, workflow, task and execution in every line. */
  readonly logger: Logger;
  /**
   * The runner of the task's tenant, which starts, reads and controls executions. Inside a task, `execute()` and
   * `result()` throw a NotAllowedError.
   *
   * @example
   * ```ts
   * // In a transactional task, the start commits with the task.
   * await context.runner.start(SendInvoice, { orderId }, { manager: context.manager });
   * ```
   */
  readonly runner: TaskRunner;
  /** The tenant's data source. In a transactional task, it uses another connection than the transaction. */
  readonly dataSource: DataSource;
  /**
   * The entity manager of the task's transaction in a transactional task, otherwise that of the tenant's data source.
   */
  readonly manager: EntityManager;
}
