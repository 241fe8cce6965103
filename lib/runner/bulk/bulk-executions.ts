import type { SignalDefinition } from '../../discovery/message-definitions.js';
import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import { ExecutionQueries, type QueryParts } from '../execution-queries.js';
import type { ServedCalls } from '../served-calls.js';
import type { StartCalls } from '../start-calls.js';
import type { BulkCalls, BulkOutcome } from './bulk-calls.js';
import type {
  BulkFilter,
  BulkOptions,
  BulkReply,
  ReasonedBulkOptions,
  ResumeManyOptions,
  RetryManyOptions,
  SignalManyOptions,
} from './bulk-options.js';
import type { BulkStarts } from './bulk-starts.js';
import type { StartItem, StartManyOptions, StartManyResult } from './start-many-options.js';

export interface BulkParts extends QueryParts {
  readonly served: ServedCalls;
  readonly starts: Pick<StartCalls, 'handle'>;
  readonly bulkStarts: BulkStarts;
  readonly bulk: BulkCalls;
}

/** The calls of a {@link CloacinaRunner} that start, change and delete many executions. */
export abstract class BulkExecutions extends ExecutionQueries {
  /** @internal For the built-in workflow that runs bulk operations. */
  readonly bulk: BulkCalls;

  /** @internal */
  constructor(private readonly bulkParts: BulkParts) {
    super(bulkParts);
    this.bulk = bulkParts.bulk;
  }

  /**
   * Starts many executions of a workflow: 2,000 in a statement, with two statements under way. The inputs are read as fast as
   * the database takes them, so an iterable of any length needs little memory, except for the ids in the result.
   *
   * @param inputs - an array, or another iterable or async iterable, of inputs or of `[input, options]`
   * @param options.key - makes the idempotency key of an input, so that the call can be repeated after a failure
   * @param options.manager - stores the executions in the caller's transaction: all, or after a failure none
   * @throws StartManyError if one of the executions could not be started; those of earlier statements are stored, unless
   *   there is a `manager`
   * @throws UnknownWorkflowError, InvalidArgumentError for the arguments of the call; nothing was stored
   * @example
   * ```ts
   * const { created, existing } = await runner.startMany(SendInvoice, customers, { key: ({ customerId }) => customerId });
   * ```
   */
  startMany<R extends WorkflowRef>(
    workflow: R,
    inputs: Iterable<StartItem<R>> | AsyncIterable<StartItem<R>>,
    options?: StartManyOptions<R>,
  ): Promise<StartManyResult> {
    return this.bulkParts.served.run(() =>
      this.bulkParts.bulkStarts.startMany(workflow, inputs, options),
    );
  }

  /**
   * Cancels the Pending, Running and Paused executions that match a filter, as {@link CloacinaRunner.cancel} does.
   *
   * Like all bulk calls, it takes the executions that exist at the call, newest first. It changes up to 1,000 itself. More are
   * changed by an execution of the built-in workflow `cloacina.bulk`, whose handle it returns.
   *
   * @param filter - at least one condition, or `all: true`
   * @returns `{ matched, changed }`, or the handle of the operation in the background
   * @throws InvalidArgumentError for an empty filter, a condition that is undefined, and a status that can't be cancelled
   * @throws DatabaseUnavailableError if the database was unreachable for `startTimeout`; some executions may be cancelled
   * @example
   * ```ts
   * const { matched } = await runner.cancelMany({ tags: { customer: '4711' } }, { dryRun: true });
   * const operation = await runner.cancelMany({ workflow: SendInvoice }, { reason: 'wrong prices', background: true });
   * const { context } = await operation.result(); // { matched, changed }
   * ```
   */
  cancelMany<O extends ReasonedBulkOptions>(
    filter: BulkFilter,
    options?: O,
  ): Promise<BulkReply<O>> {
    return this.reply(() => this.bulk.cancel(filter, options));
  }

  /** Pauses the Pending and Running executions that match a filter, as {@link CloacinaRunner.pause} does. See {@link cancelMany}. */
  pauseMany<O extends ReasonedBulkOptions>(filter: BulkFilter, options?: O): Promise<BulkReply<O>> {
    return this.reply(() => this.bulk.pause(filter, options));
  }

  /** Continues the Paused executions that match a filter, as {@link CloacinaRunner.resume} does. See {@link cancelMany}. */
  resumeMany<O extends ResumeManyOptions>(filter: BulkFilter, options?: O): Promise<BulkReply<O>> {
    return this.reply(() => this.bulk.resume(filter, options));
  }

  /**
   * Retries the Failed executions that match a filter, as {@link CloacinaRunner.retry} does. With `status`, it also retries Cancelled and
   * Completed executions that have such tasks. See {@link cancelMany}.
   */
  retryMany<O extends RetryManyOptions>(filter: BulkFilter, options?: O): Promise<BulkReply<O>> {
    return this.reply(() => this.bulk.retry(filter, options));
  }

  /**
   * Sends a signal to all executions that match a filter and have not ended, to each exactly once. See {@link CloacinaRunner.signal} and
   * {@link cancelMany}.
   *
   * @example
   * ```ts
   * await runner.signalMany({ waitingFor: Approval.name, tags: { batch: '17' } }, Approval, { approved: true });
   * ```
   */
  signalMany<P, I, O extends SignalManyOptions>(
    filter: BulkFilter,
    signal: SignalDefinition<P, I>,
    payload: I,
    options?: O,
  ): Promise<BulkReply<O>> {
    return this.reply(() => this.bulk.signal(filter, signal, payload, options));
  }

  /**
   * Deletes the ended executions that match a filter, with everything that is stored of them: tasks, steps, signals, history,
   * and the executions under them. Their idempotency keys are free again.
   *
   * An execution is deleted with all its descendants or not at all: as long as one of them has not ended, or the end of one is
   * not passed on, all stay. Executions with a parent do not match: delete the execution at the top. See {@link cancelMany}.
   *
   * @example
   * ```ts
   * await runner.deleteMany({ status: 'Completed', createdBefore: new Date(Date.now() - 30 * 86_400_000) });
   * ```
   */
  deleteMany<O extends BulkOptions>(filter: BulkFilter, options?: O): Promise<BulkReply<O>> {
    return this.reply(() => this.bulk.delete(filter, options));
  }

  /** The casts rely on the options that the caller gave. */
  private async reply<O extends BulkOptions>(
    call: () => Promise<BulkOutcome>,
  ): Promise<BulkReply<O>> {
    const outcome = await this.bulkParts.served.run(async () => call());
    if ('matched' in outcome) return outcome as BulkReply<O>;
    return this.bulkParts.starts.handle(outcome.id, true) as object as BulkReply<O>;
  }
}
