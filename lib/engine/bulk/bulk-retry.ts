import type { BulkStore, LockedForRetry, ResetDecision } from '../../store/port/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import { planRetry, type RetryWishes } from '../retry-plan.js';

/** The result of one statement of a bulk operation: the executions that it changed, and those to send again. */
export interface BulkPart {
  readonly changed: readonly string[];
  readonly left: readonly string[];
}

export interface BulkRetryParts {
  readonly store: { readonly bulk: Pick<BulkStore, 'reset'> };
  readonly catalog: Pick<DefinitionCatalog, 'find'>;
  /** Cancels the children of an execution that has ended. Returns false if rows of them are locked. */
  readonly endChildrenOf: (id: string) => Promise<boolean>;
  /** Called for each execution that was retried. */
  readonly told: (id: string, workflow: string) => void;
  /** Called when tasks are due that no process has claimed. */
  readonly wakeWorkers: () => void;
  /** Called when the first task that is not due yet becomes due in `ms` milliseconds. */
  readonly dueIn: (ms: number) => void;
}

/**
 * The manual retry of many executions, a part at a time.
 *
 * A part is sent again after a lost reply. An execution that the first send was to reset has then another generation, or has
 * not ended any more, so it counts as changed by it. Executions whose children are still to be cancelled are left, and these
 * children are cancelled.
 */
export class BulkRetry {
  /** What earlier sends were to reset: the workflow of each execution, and its generation. */
  private readonly planned = new Map<string, { readonly workflow: string; generation: number }>();

  constructor(
    private readonly parts: BulkRetryParts,
    private readonly wishes: RetryWishes & { readonly actor?: string | null },
  ) {}

  async part(ids: readonly string[], resent: boolean): Promise<BulkPart> {
    const { store, endChildrenOf, told } = this.parts;
    const earlier = new Set(resent ? ids.filter((id) => this.planned.has(id)) : []);
    const withChildren: string[] = [];
    const reply = await store.bulk.reset(ids, async (execution) => {
      const plan = await this.plan(execution, earlier);
      if (plan === 'children') withChildren.push(execution.id);
      return plan === 'children' ? null : plan;
    });
    const left = [...reply.left, ...withChildren];
    for (const id of left) earlier.delete(id);
    const dueInMs = new Map(reply.reset.map((reset) => [reset.id, reset.dueInMs]));
    // Of those that an earlier send has reset, the due time is unknown.
    for (const id of earlier) if (!dueInMs.has(id)) dueInMs.set(id, 0);
    for (const id of dueInMs.keys()) told(id, this.planned.get(id)?.workflow ?? '');
    this.wake([...dueInMs.values()]);
    for (const id of withChildren) await endChildrenOf(id);
    return { changed: [...dueInMs.keys()], left };
  }

  private wake(dueInMs: readonly number[]): void {
    const later = dueInMs.filter((ms) => ms > 0);
    if (later.length < dueInMs.length) this.parts.wakeWorkers();
    if (later.length > 0) this.parts.dueIn(Math.min(...later));
  }

  private async plan(
    execution: LockedForRetry,
    earlier: ReadonlySet<string>,
  ): Promise<ResetDecision | 'children' | null> {
    const { id, definitionId, generation } = execution;
    if (earlier.has(id) && this.planned.get(id)?.generation !== generation) return null;
    const { workflow } = await this.parts.catalog.find(definitionId);
    const plan = planRetry(workflow, execution, this.wishes);
    if (plan === 'nothing') return null;
    if (plan === 'children') return plan;
    this.planned.set(id, { workflow: workflow.name, generation });
    return { ...plan, actor: this.wishes.actor ?? null };
  }
}
