import { BackgroundTurns } from '../../runtime/background-turns.js';
import type { KeyPruner } from './key-pruner.js';

type PrunerOfTenant = Pick<KeyPruner, 'round'>;

/** A tenant of the pass. */
export interface PrunedTenant {
  readonly keyPruner: PrunerOfTenant;
}

/**
 * A pass of the maintenance sweep: deletes rows of limits' keys that are no longer used, of one tenant after the other.
 *
 * The sweep does not wait for it, because it has to look for lost processes. A tenant that fails is left to its
 * next round.
 */
export class LimitPass {
  readonly nextLookAt = undefined;
  private readonly turns = new BackgroundTurns<PrunerOfTenant>((pruner) => pruner.round());

  constructor(private readonly tenants: (names: readonly string[]) => readonly PrunedTenant[]) {}

  over(names: readonly string[]): Promise<void> {
    this.turns.add(this.tenants(names).map(({ keyPruner }) => keyPruner));
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
