import { Inject, Injectable } from '@nestjs/common';
import { systemClock, type Clock } from '../runtime/clock.js';
import { CloacinaTenants } from '../tenants/hosting/cloacina-tenants.js';
import type { CurrentMove } from '../tenants/hosting/current-move.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import { DASHBOARD_CLOCK } from './clock.js';
import type { TenantMoveRow, TenantOverview } from './http-types.js';
import { keyOf } from './tenant-identity.js';
import { TenantReads, type Kept } from './tenant-reads.js';

/** How old the state of a move may be that has just changed, in milliseconds. */
const FRESH_MS = 2_000;
/** How long a process may take to follow a tenant to its new server before that is a problem, in milliseconds. */
const FOLLOWS_MS = 10_000;

/** How often the copies that moves have left are read, in milliseconds, for all pages together. */
const COPIES_MS = 60_000;

/** What a user may see: the tenants, and whether these are all that there may ever be. */
export interface Sight {
  readonly tenants: readonly Tenant[];
  readonly seesAll: boolean;
}

/** The same for users who see the same. */
export function sightKey({ tenants, seesAll }: Sight): string {
  return `${seesAll ? 'all' : 'some'} ${keyOf(tenants)}`;
}

/** Reads the moves of tenants, apart from their numbers: while a move ends, reads of the tenant wait for it. */
@Injectable()
export class TenantMoves {
  private readonly kept: Kept<CurrentMove | null>;
  private seen = 0;
  private readonly moving = new Set<string>();
  private copies: Copies = new Map();
  private reading: Promise<void> | undefined;
  private copiesReadAt = -Infinity;
  private copiesSeen = 0;

  constructor(
    @Inject(TenantReads) private readonly reads: TenantReads,
    @Inject(CloacinaTenants)
    private readonly served: Pick<CloacinaTenants, 'currentMove' | 'leftCopies'>,
    @Inject(DASHBOARD_CLOCK) private readonly clock: Clock,
  ) {
    this.kept = {
      key: 'move',
      minAgeMs: FRESH_MS,
      // If the server is away, the numbers of the tenant say so.
      read: ({ name }) => served.currentMove(name).catch(() => null),
      // Nothing tells that the process that moves a tenant has ended, so a move is read again and again until it is over.
      shape: (move) => move && [move, ++this.seen],
    };
  }

  /** Begins to read what is old, and waits for nothing. */
  refresh(tenants: readonly Tenant[]): void {
    this.reads.refresh(onServers(tenants), this.kept);
    this.refreshCopies(tenants);
  }

  /** Grows when other copies are known than before. */
  get version(): number {
    return this.copiesSeen;
  }

  /** The moves of those tenants that move, by name: what is known after `budgetMs`. */
  async of(
    tenants: readonly Tenant[],
    budgetMs: number,
  ): Promise<ReadonlyMap<string, CurrentMove>> {
    const { values } = await this.reads.many(onServers(tenants), this.kept, budgetMs);
    for (const { tenant, value } of values) {
      if (value !== null) this.moving.add(tenant.name);
      // A move that has ended has left a copy.
      else if (this.moving.delete(tenant.name)) this.copiesReadAt = -Infinity;
    }
    return new Map(
      values.flatMap(({ tenant: { name }, value }) => (value === null ? [] : [[name, value]])),
    );
  }

  /** The copies that moves have left: what is known after `budgetMs`. They change rarely, so they are read once a minute. */
  async copiesOf(tenants: readonly Tenant[], budgetMs: number): Promise<Copies> {
    if (onServers(tenants).length === 0) return new Map();
    this.refreshCopies(tenants);
    if (this.reading !== undefined) {
      const over = new AbortController();
      await Promise.race([this.reading, this.clock.sleep(budgetMs, over.signal)]);
      over.abort();
    }
    return this.copies;
  }

  private refreshCopies(tenants: readonly Tenant[]): void {
    const isOld = this.clock.now() - this.copiesReadAt >= COPIES_MS;
    if (isOld && onServers(tenants).length > 0) this.reading ??= this.readCopies();
  }

  private async readCopies(): Promise<void> {
    try {
      const copies = new Map<string, string[]>();
      for (const { tenant, server } of await this.served.leftCopies())
        copies.set(tenant, [...(copies.get(tenant) ?? []), server]);
      if (JSON.stringify([...copies]) !== JSON.stringify([...this.copies])) this.copiesSeen++;
      this.copies = copies;
    } catch {
      // No server could be reached, which the numbers of the tenants say.
    } finally {
      this.copiesReadAt = this.clock.now();
      this.reading = undefined;
    }
  }
}

/** The servers with copies that moves have left, by the name of the tenant. */
type Copies = ReadonlyMap<string, readonly string[]>;

/** Without the option `servers`, no tenant moves. */
function onServers(tenants: readonly Tenant[]): Tenant[] {
  return tenants.filter(({ server }) => server !== undefined);
}

/** Adds to the overview of a tenant where moves have left copies, as far as the user may see these servers. */
export function withCopies(
  overview: TenantOverview,
  servers: readonly string[] | undefined,
  sight: Sight,
): TenantOverview {
  const leftOn = (servers ?? []).filter((server) => seesServer(sight, server));
  return leftOn.length === 0 ? overview : { ...overview, leftOn };
}

/** Adds the move of a tenant to its overview. An interrupted one is a problem. */
export function withMove(
  overview: TenantOverview,
  move: CurrentMove | undefined,
  sight: Sight,
): TenantOverview {
  if (move === undefined) return overview;
  const row = rowOf(move, sight);
  const problem = problemOf(row) ?? overview.problem;
  return { ...overview, move: row, ...(problem === undefined ? {} : { problem }) };
}

function rowOf(
  { state, peer, since, undoneAt, ...rest }: CurrentMove,
  sight: Sight,
): TenantMoveRow {
  const { isInterrupted, progress } = rest;
  return {
    state,
    ...(seesServer(sight, peer) ? { peer } : {}),
    since: since.toISOString(),
    isInterrupted,
    ...(undoneAt === undefined ? {} : { undoneAt: undoneAt.toISOString() }),
    ...(progress === undefined ? {} : { progress }),
  };
}

/** A user who sees some tenants knows the servers of these, and no others. */
function seesServer({ tenants, seesAll }: Sight, server: string): boolean {
  return seesAll || tenants.some((tenant) => tenant.server === server);
}

/** What is wrong with a move, and what an operator can do. */
function problemOf({ state, peer, since, isInterrupted }: TenantMoveRow): string | undefined {
  const to = peer === undefined ? 'another server' : `server ${JSON.stringify(peer)}`;
  if (state === 'moved' && systemClock.wallTime() - Date.parse(since) > FOLLOWS_MS) {
    return `It has moved to ${to}, where this process does not serve it yet. The log has the error; it is tried again.`;
  }
  if (!isInterrupted) return undefined;
  return state === 'stopping'
    ? `Its move to ${to} was interrupted, and it stands still. Its processes undo the stop; if none does, move it again.`
    : `Its move to ${to} was interrupted, and it works here. Move it again, which makes the copy anew.`;
}
