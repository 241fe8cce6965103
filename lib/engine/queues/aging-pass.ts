import type { PriorityAging } from './priority-aging.js';

/** A tenant of the pass. */
export interface AgingTenant {
  readonly workflows: { readonly aging: Pick<PriorityAging, 'run'> };
}

export interface AgingPassOptions {
  readonly isConnected: () => boolean;
  readonly tenants: (names: readonly string[]) => readonly AgingTenant[];
}

/** A pass of the maintenance sweep: lets the tasks of workflows with `priorityAging` age, tenant by tenant. */
export class AgingPass {
  readonly nextLookAt = undefined;

  constructor(private readonly options: AgingPassOptions) {}

  async over(names: readonly string[]): Promise<void> {
    if (!this.options.isConnected()) return;
    // A failure of one tenant must not keep the others from it. The next round repeats it.
    for (const { workflows } of this.options.tenants(names)) {
      await workflows.aging.run().catch(() => undefined);
    }
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }
}
