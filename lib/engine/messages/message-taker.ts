import { ClaimLostError } from '../../errors/index.js';
import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import {
  byLockOrder,
  type Listen,
  type MessageStore,
  type MessageWait,
  type StepRow,
  type TakeReply,
  type TenantStore,
} from '../../store/port/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { lateReads } from '../late-reads.js';
import type { StepServices } from '../waits/step-services.js';

/** Waits of one statement. */
const MAX_WAITS = 200;
const MAX_STATEMENTS = 2;

export interface MessageTakerParts {
  readonly clock: Clock;
  readonly store: FailureClassifier &
    Pick<TenantStore, 'schema'> & { readonly messages: Pick<MessageStore, 'take'> };
  readonly steps: Pick<StepServices, 'read'>;
  /** Called when the database refused a look because this process no longer holds the claim. */
  readonly refused: (claim: TaskClaim) => void;
}

/** Looks for the messages of open waits, many in a statement. */
export class MessageTaker {
  private readonly batcher: Batcher<MessageWait, TakeReply>;

  constructor(private readonly parts: MessageTakerParts) {
    const { clock, store } = parts;
    this.batcher = new Batcher<MessageWait, TakeReply>({
      clock,
      maxItems: MAX_WAITS,
      maxStatements: MAX_STATEMENTS,
      send: (waits) => this.send(waits),
      classify: (error) => store.classifyFailure(error),
      late: lateReads(store.schema, 'the messages that tasks wait for'),
    });
  }

  /**
   * Takes the oldest message that the wait accepts. Returns the checkpoint's row, or undefined if there is no message.
   *
   * @param step - the stored name of the wait's open checkpoint
   * @throws ClaimLostError if this process no longer holds the claim; nothing was taken then
   */
  async take(
    claim: TaskClaim,
    step: string,
    listens: readonly Listen[],
  ): Promise<StepRow | undefined> {
    const { executionId, taskNo, itemNo, token } = claim;
    const wait = { executionId, taskNo, itemNo, token, step, listens };
    let reply: TakeReply;
    do {
      reply = await this.batcher.add(wait);
    } while (reply.kind === 'contended');
    if (reply.kind === 'nothing') return undefined;
    if (reply.kind === 'refused') {
      this.parts.refused(claim);
      throw new ClaimLostError(claim.task.name, executionId);
    }
    claim.progressed();
    if (reply.kind !== 'taken') return this.rowOf(claim, step);
    return { ...rowOf(claim, step, listens), result: reply.result };
  }

  get isBusy(): boolean {
    return this.batcher.size > 0;
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }

  private async rowOf(claim: TaskClaim, step: string): Promise<StepRow | undefined> {
    return (await this.parts.steps.read(claim)).get(step);
  }

  private async send(waits: readonly MessageWait[]): Promise<TakeReply[]> {
    const order = [...waits.entries()].sort(([, a], [, b]) => byLockOrder(a, b));
    const replies = await this.parts.store.messages.take(order.map(([, wait]) => wait));
    const results: TakeReply[] = [];
    for (const [at, [i]] of order.entries()) results[i] = replies[at] ?? { kind: 'refused' };
    return results;
  }
}

/** The row of a wait that has just taken its message, without the result. */
function rowOf(
  { executionId, taskNo, itemNo }: TaskClaim,
  name: string,
  listens: readonly Listen[],
): StepRow {
  const kind = listens.some(({ key }) => key === null) ? 'signal' : 'event';
  const empty = { result: null, error: null, childId: null, listensFor: null, dueInMs: null };
  return { executionId, taskNo, itemNo, name, kind, status: 'Done', ...empty };
}
