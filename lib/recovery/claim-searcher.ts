import { Logger } from '@nestjs/common';
import { toStoredError } from '../errors/index.js';
import type { ClaimSearchPosition, RecoverySession } from '../store/port/index.js';
import type { TenantRecovery } from './tenant-recovery.js';

/** Number of rounds of a tenant from one search to the next: some five minutes. */
const ROUNDS_BETWEEN = 20;
/** Maximum number of pages of one tenant that a regular search reads. The next one continues behind them. */
const PAGES_AT_ONCE = 2;
/** The same for a search at boot or on request, as a bound for a tenant whose executions begin faster than they are read. */
const ALL_PAGES = 200;

/** Where a tenant's regular search stands. */
interface Progress {
  /** Rounds since the latest search. */
  rounds: number;
  after: ClaimSearchPosition | undefined;
  /** Whether a failure was logged. */
  isReported: boolean;
}

/**
 * The safety net of recovery: it searches Running tasks that can't be found by their owner, because
 * no list of its claims names them. No statement of the library leaves such tasks behind. They are there after someone has
 * emptied the table of the lists, or by a bug.
 *
 * The search makes them found again. Then the usual ways lead to them: a sweep finds the claims of an owner without a
 * lease, and a living owner compares its claims with its memory when it renews its lease.
 *
 * It reads every execution that is under way, so it runs seldom, one tenant after the other, and in pages.
 */
export class ClaimSearcher {
  private readonly logger = new Logger('CloacinaRecovery');
  private readonly progress = new WeakMap<TenantRecovery, Progress>();
  private isBusy = false;

  /** @param found - called when a tenant has claims that a pass has to look at */
  constructor(private readonly found: (tenant: TenantRecovery) => void) {}

  /** Searches the tenants as a whole. */
  async searchAll(session: RecoverySession, tenants: readonly TenantRecovery[]): Promise<void> {
    for (const tenant of await this.underWay(session, tenants)) {
      await this.search(tenant, ALL_PAGES);
    }
  }

  /**
   * Counts a round of the tenants. If it is time, it searches those with executions under way, beside the rounds, because
   * these must not be late.
   */
  round(session: RecoverySession, tenants: readonly TenantRecovery[]): void {
    const due = tenants.filter((tenant) => ++this.progressOf(tenant).rounds >= ROUNDS_BETWEEN);
    if (due.length === 0 || this.isBusy) return;
    this.isBusy = true;
    void this.searchSome(session, due)
      .catch(() => undefined)
      .finally(() => (this.isBusy = false));
  }

  private async searchSome(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
  ): Promise<void> {
    for (const tenant of tenants) this.progressOf(tenant).rounds = 0;
    for (const tenant of await this.underWay(session, tenants)) {
      const progress = this.progressOf(tenant);
      progress.after = await this.search(tenant, PAGES_AT_ONCE, progress.after);
    }
  }

  private async underWay(
    session: RecoverySession,
    tenants: readonly TenantRecovery[],
  ): Promise<TenantRecovery[]> {
    const recovered = tenants.filter(({ parts }) => parts.enableRecovery);
    if (recovered.length === 0) return [];
    const handles = recovered.map(({ parts }) => parts.store.handle);
    const isUnderWay = await session.underWay(handles);
    return recovered.filter((_, i) => isUnderWay[i] === true);
  }

  /** Reads pages. Returns where the next search continues, or undefined after the last page. */
  private async search(
    tenant: TenantRecovery,
    pages: number,
    from?: ClaimSearchPosition,
  ): Promise<ClaimSearchPosition | undefined> {
    let after = from;
    let relisted = 0;
    try {
      for (let page = 0; page < pages && !tenant.isStopped; page++) {
        const search = await tenant.parts.store.recovery.relistClaims(after);
        relisted += search.relisted;
        after = search.last;
        if (after === undefined) break;
      }
    } catch (error) {
      this.failed(tenant, error);
    }
    if (relisted > 0) this.report(tenant, relisted);
    return after;
  }

  private report(tenant: TenantRecovery, relisted: number): void {
    this.logger.warn(
      `Tenant "${tenant.parts.tenant}": ${relisted} running tasks were in no list of their process's claims, and are ` +
        'listed again. If no one has changed the table cloacina_claim_batch, please report this as a bug.',
    );
    this.found(tenant);
  }

  /** The next search repeats this one. The first failure that time alone does not mend is logged. */
  private failed(tenant: TenantRecovery, error: unknown): void {
    const { kind } = tenant.parts.store.classifyFailure(error);
    const passes = kind === 'connection' || kind === 'conflict' || kind === 'passing';
    const progress = this.progressOf(tenant);
    if (passes || tenant.isStopped || progress.isReported) return;
    progress.isReported = true;
    this.logger.error(
      `Tenant "${tenant.parts.tenant}": the search for lost claims failed and will be repeated: ` +
        toStoredError(error).message,
    );
  }

  private progressOf(tenant: TenantRecovery): Progress {
    const known = this.progress.get(tenant);
    if (known !== undefined) return known;
    const progress: Progress = { rounds: 0, after: undefined, isReported: false };
    this.progress.set(tenant, progress);
    return progress;
  }
}
