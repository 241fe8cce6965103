import { BackgroundTurns } from '../../runtime/background-turns.js';
import type { PriorityAging } from './priority-aging.js';

type AgingOfTenant = Pick<PriorityAging, 'run'>;

/** A tenant of the pass. */
export interface AgingTenant {
  readonly workflows: { readonly aging: AgingOfTenant };
}

export interface AgingPassOptions {
  readonly isConnected: () => boolean;
  readonly tenants: (names: readonly string[]) => readonly AgingTenant[];
}

/**
 * A pass of the maintenance sweep: lets the tasks of workflows with `priorityAging` age, tenant by tenant.
 *
 * The sweep does not wait for it: a long queue takes many statements. A tenant that fails is left to its next round.
 */
export class AgingPass {
  readonly nextLookAt = undefined;
  private readonly turns = new BackgroundTurns<AgingOfTenant>(async (aging) => {
    if (this.options.isConnected()) await aging.run();
  });

  constructor(private readonly options: AgingPassOptions) {}

  over(names: readonly string[]): Promise<void> {
    this.turns.add(this.options.tenants(names).map(({ workflows }) => workflows.aging));
    return Promise.resolve();
  }

  /** Resolves when no statement is under way. */
  whenIdle(): Promise<void> {
    return this.turns.whenIdle();
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }
}
