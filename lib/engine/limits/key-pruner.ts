import type { LimitStore } from '../../store/port/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';

/** Number of rounds of the sweep between two passes over the keys of a tenant: some ten minutes. */
const ROUNDS_BETWEEN_PASSES = 40;
/** How long ago the last task of a key has begun before its row is deleted, in milliseconds. */
const IDLE_MS = 3_600_000;

export interface KeyPrunerParts {
  readonly store: { readonly limits: Pick<LimitStore, 'prune'> };
  readonly catalog: Pick<DefinitionCatalog, 'claimable' | 'limits'>;
}

/**
 * Deletes the rows of limits' keys that are no longer used: those of maps that failed, were cancelled or deleted, and
 * those of keys of the application, such as customers that have left. A pass takes a page each round.
 *
 * States: between two passes, in a pass.
 */
export class KeyPruner {
  private rounds = 0;
  private after: string | null = null;

  constructor(private readonly parts: KeyPrunerParts) {}

  /** Call once each round of the sweep. Does nothing in a process without handlers for tasks with a limit. */
  async round(): Promise<void> {
    const { store, catalog } = this.parts;
    if (catalog.claimable.limitedIds.length === 0) return;
    if (this.after === null && this.rounds++ % ROUNDS_BETWEEN_PASSES !== 0) return;
    const { last } = await store.limits.prune(catalog.limits, IDLE_MS, this.after);
    this.after = last;
  }
}
