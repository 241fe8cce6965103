import { Logger } from '@nestjs/common';
import { ClaimLostError, toStoredError, withoutDriver } from '../../errors/index.js';
import { Batcher } from '../../runtime/batcher.js';
import { claimKey, type TaskClaim } from '../claims/task-claim.js';
import { lateReads } from '../late-reads.js';
import { classifierOf, weightOf, WRITE_LIMITS } from '../write-batches.js';
import {
  type StepRecord,
  type StepReply,
  type StepRow,
  type StepStore,
  type TenantStore,
  type TransactionStore,
  byLockOrder,
} from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';

/** Maximum number of records in one statement. */
const MAX_RECORDS = 300;
/** Maximum number of tasks whose steps one statement reads. A task may have ten thousand. */
const MAX_READ = 50;

export interface StepServicesParts {
  readonly clock: Clock;
  readonly store: StepStore & TransactionStore & FailureClassifier & Pick<TenantStore, 'schema'>;
  /** Maximum number of steps and waits of one task. */
  readonly maxSteps: number;
  /** Maximum size of the results of all steps and waits of one task, in bytes of JSON. */
  readonly maxStepsSize: number;
  /** Maximum size of a step's result, in bytes of JSON. */
  readonly maxResultSize: number;
  /** Called when a step of a task of the execution was stored. */
  readonly stored: (executionId: string) => void;
  /** Called when the database refused a record because this process no longer holds the claim. */
  readonly refused: (claim: TaskClaim) => void;
}

interface PendingRecord {
  readonly record: StepRecord;
  readonly claim: TaskClaim;
}

/** The stored steps of a task, by name. */
export type StoredSteps = ReadonlyMap<string, StepRow>;

/** Reads and writes the steps of one tenant's tasks, many in a statement. */
export class StepServices {
  private readonly logger = new Logger('Cloacina');
  private readonly records: Batcher<PendingRecord, StepReply | undefined>;
  private readonly reads: Batcher<TaskClaim, StoredSteps>;
  /** The reads that are not sent yet, by task. */
  private readonly queued = new Map<string, Promise<StoredSteps>>();

  constructor(private readonly parts: StepServicesParts) {
    const { clock, store } = parts;
    const classify = classifierOf(store);
    this.records = new Batcher({
      clock,
      maxItems: MAX_RECORDS,
      ...WRITE_LIMITS,
      weight: ({ record }) => weightOf(1, record.result?.length ?? 0),
      send: (items) => this.send(items),
      classify,
      // A task that continues after a step often begins its next step at once.
      awaitsResumed: true,
      late: (items, error) => this.reportLate(items, error),
    });
    this.reads = new Batcher<TaskClaim, StoredSteps>({
      clock,
      maxItems: MAX_READ,
      send: (claims) => this.readAll(claims),
      classify,
      late: lateReads(store.schema, 'the steps of tasks'),
    });
  }

  get clock(): Clock {
    return this.parts.clock;
  }

  get store(): StepServicesParts['store'] {
    return this.parts.store;
  }

  get maxSteps(): number {
    return this.parts.maxSteps;
  }

  get maxStepsSize(): number {
    return this.parts.maxStepsSize;
  }

  get maxResultSize(): number {
    return this.parts.maxResultSize;
  }

  /** The stored steps of the claimed task. Calls that come together share a read: a run may look at thousands of waits. */
  read(claim: TaskClaim): Promise<StoredSteps> {
    let read = this.queued.get(claim.key);
    if (read === undefined) {
      read = this.reads.add(claim);
      this.queued.set(claim.key, read);
    }
    return read;
  }

  /**
   * Stores a step.
   *
   * @throws ClaimLostError if this process no longer holds the claim; nothing was stored then
   * @throws DatabaseRefusedError if the database can't store it
   */
  async record(claim: TaskClaim, record: StepRecord): Promise<StepReply> {
    const reply = await this.records.add({ claim, record }).catch((error: unknown) => {
      throw withoutDriver(error);
    });
    return this.held(claim, record, reply);
  }

  /** Follows the reply to a record. */
  held(claim: TaskClaim, { status }: StepRecord, reply: StepReply | undefined): StepReply {
    if (reply === undefined) {
      this.parts.refused(claim);
      throw new ClaimLostError(claim.task.name, claim.executionId);
    }
    if (status !== 'Open') claim.progressed();
    this.parts.stored(claim.executionId);
    return reply;
  }

  get isBusy(): boolean {
    return this.records.size > 0 || this.reads.size > 0;
  }

  async whenIdle(): Promise<void> {
    await Promise.all([this.records.whenIdle(), this.reads.whenIdle()]);
  }

  close(): void {
    this.records.close();
    this.reads.close();
  }

  private async send(items: readonly PendingRecord[]): Promise<(StepReply | undefined)[]> {
    const order = [...items.entries()].sort(([, a], [, b]) => byLockOrder(a.claim, b.claim));
    const replies = await this.parts.store.recordSteps(order.map(([, { record }]) => record));
    const results = new Array<StepReply | undefined>(items.length).fill(undefined);
    for (const [at, [i]] of order.entries()) results[i] = replies[at];
    return results;
  }

  private async readAll(claims: readonly TaskClaim[]): Promise<StoredSteps[]> {
    for (const { key } of claims) this.queued.delete(key);
    const keys = claims.map(({ executionId, taskNo, itemNo }) => ({ executionId, taskNo, itemNo }));
    const found = new Map(claims.map(({ key }) => [key, new Map<string, StepRow>()]));
    for (const row of await this.parts.store.steps(keys)) {
      found.get(claimKey(row))?.set(row.name, row);
    }
    return claims.map(({ key }) => found.get(key) ?? new Map<string, StepRow>());
  }

  private reportLate(items: readonly PendingRecord[], error: unknown): void {
    const [first] = items;
    if (first === undefined) return;
    const { claim, record } = first;
    const others = items.length === 1 ? '' : ` and ${items.length - 1} more`;
    this.logger.warn(
      `Schema "${this.parts.store.schema}": step "${record.name}" of task ${claim.task.name} of execution ` +
        `${claim.executionId}${others} could not be recorded for some seconds and will be retried: ` +
        toStoredError(error).message,
    );
  }
}
