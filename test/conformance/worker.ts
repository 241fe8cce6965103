import {
  byLockOrder,
  isCreated,
  type ClaimChoice,
  type Claimant,
  type ClaimedTask,
  type CompletionResult,
  type Outcome,
  type StartItem,
  type TenantStore,
} from '../../lib/store/port/index.js';
import { noteClaim } from './last-token.js';
import { newClaimant, noLease, startOf, type TestWorkflow } from './workflows.js';

interface ClaimOptions extends ClaimChoice {
  readonly unknown?: readonly (readonly [definition: string, task: number])[];
}

/** A process that works on the tenant by the store's port. Unless told, it writes no lease. */
export class Worker {
  readonly claimant: Claimant = newClaimant();

  constructor(private readonly store: () => TenantStore) {}

  async start(items: readonly StartItem[]): Promise<void> {
    await this.store().start(items, noLease(this.claimant), false);
  }

  /** Starts an execution with, unless told, all its roots claimed; returns its id. */
  async startOne(of: TestWorkflow, options?: Partial<StartItem>): Promise<string> {
    const item = startOf(of, options);
    await this.start([item]);
    return item.id;
  }

  async startMany(
    of: TestWorkflow,
    count: number,
    options?: Partial<StartItem>,
  ): Promise<string[]> {
    const items = Array.from({ length: count }, () => startOf(of, options));
    await this.start(items);
    return items.map(({ id }) => id);
  }

  /** The ids that were created now, in the order of the items. */
  async startKeyed(items: readonly StartItem[]): Promise<string[]> {
    const reply = await this.store().start(items, noLease(this.claimant), true);
    return items.map(({ id }) => id).filter((id) => isCreated(reply, id));
  }

  async claim(
    definitions: readonly string[],
    limit: number,
    { unknown = [], ...choice }: ClaimOptions = {},
  ): Promise<ClaimedTask[]> {
    const lease = noLease(this.claimant);
    const claims = await this.store().claim(definitions, unknown, limit, lease, choice);
    for (const { executionId, taskNo, token } of claims) noteClaim(executionId, taskNo, token);
    // A batch is the store's own matter.
    return claims.map(({ batch: _, ...claim }) => claim);
  }

  /** In the order that the port asks for; the indices of the result are those of `outcomes` all the same. */
  async complete(outcomes: readonly Outcome[], timed = false): Promise<CompletionResult> {
    const order = outcomes.map((_, i) => i).sort((a, b) => byLockOrder(outcomes[a]!, outcomes[b]!));
    const sorted = order.map((i) => outcomes[i]!);
    const result = await this.store().complete(sorted, noLease(this.claimant), timed);
    for (const { outcome, taskNo, token, claimed } of result.readied) {
      if (claimed) noteClaim(sorted[outcome]!.executionId, taskNo, token);
    }
    return {
      accepted: outcomes.map((_, i) => result.accepted[order.indexOf(i)]!),
      readied: result.readied.map((one) => ({ ...one, outcome: order[one.outcome]! })),
      ended: result.ended.map((one) => ({ ...one, outcome: order[one.outcome]! })),
      ...(result.times && { times: outcomes.map((_, i) => result.times?.[order.indexOf(i)]) }),
    };
  }
}
