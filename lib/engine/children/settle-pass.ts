import {
  UNSETTLED_OF_ALL,
  type SettlingSession,
  type TenantHandle,
} from '../../store/port/index.js';
import { BackgroundTurns } from '../../runtime/background-turns.js';
import type { ChildUse } from './child-use.js';
import type { EndSettler } from './end-settler.js';

/** Number of rounds after which the pass asks again whether a tenant that had no children has some. */
const ROUNDS_BETWEEN_LOOKS = 20;
/** Number of rounds between two looks for waits whose child was deleted. */
const ROUNDS_BETWEEN_MISSING = 40;

/** A tenant of the pass. */
export interface SettledTenant {
  readonly store: { readonly handle: TenantHandle };
  readonly settler: Pick<EndSettler, 'ended' | 'settleLeft' | 'tellMissing'>;
  readonly childUse: Pick<ChildUse, 'isUsed'>;
}

interface Known {
  /** Whether the tenant has children, as far as was read. */
  hasChildren: boolean;
  rounds: number;
}

export interface SettlePassOptions {
  /** Undefined while the control connection is away. */
  readonly session: () => SettlingSession | undefined;
  readonly tenants: (names: readonly string[]) => readonly SettledTenant[];
}

/**
 * A pass of the maintenance sweep: finds ends of executions that a process has stored and not passed on, because it died.
 *
 * Only tenants with children are looked at in each round, with one statement for a part of the round. Most tenants have
 * none, and each relation that a statement names costs planning. A process that starts a tenant's first child tells the
 * others ({@link ChildUse}). In case that notification was lost, the tables are asked in the first round and every few minutes.
 */
export class SettlePass {
  readonly nextLookAt = undefined;
  private readonly known = new WeakMap<SettledTenant, Known>();
  // The sweep does not wait for it: it is a statement for each tenant.
  private readonly missing = new BackgroundTurns<SettledTenant>(({ settler }) =>
    settler.tellMissing(),
  );

  constructor(private readonly options: SettlePassOptions) {}

  async over(names: readonly string[]): Promise<void> {
    const session = this.options.session();
    if (session === undefined) return;
    const tenants = this.options.tenants(names);
    await this.findUsers(session, tenants);
    const users = tenants.filter((tenant) => this.hasChildren(tenant));
    if (users.length === 0) return;
    const left = await session.unsettled(users.map(({ store }) => store.handle));
    for (const [i, { settler }] of users.entries()) {
      const ends = left[i] ?? [];
      // A process that died in the middle of a large family left more than a look reads.
      if (ends.length >= UNSETTLED_OF_ALL) void settler.settleLeft();
      else for (const { id, bits } of ends) settler.ended(id, bits);
    }
    this.missing.add(
      users.filter((tenant) => this.knownOf(tenant).rounds % ROUNDS_BETWEEN_MISSING === 1),
    );
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }

  private async findUsers(
    session: SettlingSession,
    tenants: readonly SettledTenant[],
  ): Promise<void> {
    const asked = tenants.filter((tenant) => {
      const known = this.knownOf(tenant);
      return known.rounds++ % ROUNDS_BETWEEN_LOOKS === 0 && !this.hasChildren(tenant);
    });
    if (asked.length === 0) return;
    const used = await session.useChildren(asked.map(({ store }) => store.handle));
    for (const [i, tenant] of asked.entries()) this.knownOf(tenant).hasChildren = used[i] === true;
  }

  private hasChildren(tenant: SettledTenant): boolean {
    return tenant.childUse.isUsed || this.knownOf(tenant).hasChildren;
  }

  private knownOf(tenant: SettledTenant): Known {
    let known = this.known.get(tenant);
    if (known === undefined) {
      known = { hasChildren: false, rounds: 0 };
      this.known.set(tenant, known);
    }
    return known;
  }
}
