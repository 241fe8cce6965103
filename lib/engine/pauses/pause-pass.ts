import type { PauseSession, TenantHandle } from '../../store/port/index.js';
import type { WorkflowPauses } from './workflow-pauses.js';

/** Number of rounds after which the pass reads the pauses of a tenant that has none. */
const ROUNDS_BETWEEN_LOOKS = 20;

/** A tenant of the pass. */
export interface PausableTenant {
  readonly store: { readonly handle: TenantHandle };
  readonly workflows: {
    readonly pauses: Pick<WorkflowPauses, 'areSome' | 'found' | 'isDoubtful' | 'version'>;
  };
  /** Whether notifications of other processes reach this process. */
  readonly hearsNotifications: boolean;
}

export interface PausePassOptions {
  /** Undefined while the control connection is away. */
  readonly session: () => PauseSession | undefined;
  readonly tenants: (names: readonly string[]) => readonly PausableTenant[];
}

/**
 * A pass of the maintenance sweep: reads which workflows are paused, in case a notification was lost.
 *
 * Each round asks only tenants with paused workflows, those whose pauses are in doubt, and all of a process that hears no
 * notifications, with one statement for a part of the round. The others are asked in the first round after a new session, and
 * every few minutes.
 */
export class PausePass {
  readonly nextLookAt = undefined;
  private rounds = new WeakMap<PausableTenant, number>();

  constructor(private readonly options: PausePassOptions) {}

  /** Call when a session was opened: the process may have missed notifications. */
  connected(): void {
    this.rounds = new WeakMap();
  }

  async over(names: readonly string[]): Promise<void> {
    const session = this.options.session();
    if (session === undefined) return;
    const asked = this.options.tenants(names).filter((tenant) => this.isAsked(tenant));
    if (asked.length === 0) return;
    const versions = asked.map(({ workflows }) => workflows.pauses.version);
    const found = await session.pausedWorkflows(asked.map(({ store }) => store.handle));
    for (const [i, { workflows }] of asked.entries()) {
      const rows = found[i];
      if (rows !== undefined) workflows.pauses.found(rows, versions[i] ?? -1);
    }
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }

  private isAsked(tenant: PausableTenant): boolean {
    const round = this.rounds.get(tenant) ?? 0;
    this.rounds.set(tenant, round + 1);
    const { areSome, isDoubtful } = tenant.workflows.pauses;
    return (
      round % ROUNDS_BETWEEN_LOOKS === 0 || areSome || isDoubtful || !tenant.hearsNotifications
    );
  }
}
