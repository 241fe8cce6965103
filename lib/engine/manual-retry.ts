import type { DefinitionCatalog } from './definitions/definition-catalog.js';
import { InvalidTransitionError } from '../errors/index.js';
import { planRetry, type RetryWishes } from './retry-plan.js';
import type { ControlStore } from '../store/port/index.js';

export interface ManualRetryParts {
  readonly store: Pick<ControlStore, 'reset'>;
  readonly catalog: Pick<DefinitionCatalog, 'find'>;
  /** Cancels the children of an execution that has ended. Returns false if rows of them are locked. */
  readonly endChildrenOf: (id: string) => Promise<boolean>;
}

export interface ManualRetryOptions extends RetryWishes {
  /** Retries the execution only if it is of this generation. Default: of any. */
  readonly generation?: number;
  /** Who retries, for the history. Default: not known. */
  readonly actor?: string | null;
}

/**
 * Resets an ended execution, so that its failed tasks run again. It can be sent again after a lost reply: each reset
 * adds 1 to the execution's generation, which tells whether the first send was written.
 *
 * An execution whose children are still to be cancelled is retried after that. Otherwise the former end would cancel
 * children that the new run waits for.
 */
export class ManualRetry {
  /** The execution's generation before the first send that reached the server. */
  private generation: number | undefined;
  private name = '';
  private hasChildrenToEnd = false;

  constructor(
    private readonly parts: ManualRetryParts,
    private readonly id: string,
    private readonly options: ManualRetryOptions,
  ) {
    this.generation = options.generation;
  }

  /** The workflow's name, after {@link run}. */
  get workflow(): string {
    return this.name;
  }

  /** Returns in how many milliseconds the execution is due, or undefined if no execution has the id. */
  async run(resent: boolean): Promise<number | undefined> {
    let dueInMs = await this.reset(resent);
    if (this.hasChildrenToEnd && (await this.parts.endChildrenOf(this.id))) {
      dueInMs = await this.reset(resent);
    }
    if (!this.hasChildrenToEnd) return dueInMs;
    const rule = 'Children of its former run are still being cancelled. Retry it again.';
    throw new InvalidTransitionError(this.id, 'ending its children', 'retry', rule);
  }

  private reset(resent: boolean): Promise<number | undefined> {
    const isFixed = resent || this.options.generation !== undefined;
    return this.parts.store.reset(this.id, async (execution) => {
      this.generation ??= execution.generation;
      if (isFixed && execution.generation !== this.generation) return null;
      const { workflow } = await this.parts.catalog.find(execution.definitionId);
      this.name = workflow.name;
      const plan = planRetry(workflow, execution, this.options);
      this.hasChildrenToEnd = plan === 'children';
      if (plan === 'children') return null;
      if (plan !== 'nothing') return { ...plan, actor: this.options.actor ?? null };
      throw new InvalidTransitionError(
        this.id,
        execution.status,
        'retry',
        'Only ended executions with a failed, cancelled or failure-skipped task can be retried.',
      );
    });
  }
}
