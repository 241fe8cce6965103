import type { KeyPruner } from './key-pruner.js';

/** A tenant of the pass. */
export interface PrunedTenant {
  readonly keyPruner: Pick<KeyPruner, 'round'>;
}

/** A pass of the maintenance sweep: deletes rows of limits' keys that are not used any more. */
export class LimitPass {
  readonly nextLookAt = undefined;

  constructor(private readonly tenants: (names: readonly string[]) => readonly PrunedTenant[]) {}

  async over(names: readonly string[]): Promise<void> {
    // One after the other: nothing waits for it. A tenant that fails is left to its next pass.
    for (const { keyPruner } of this.tenants(names)) {
      await keyPruner.round().catch(() => undefined);
    }
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }
}
