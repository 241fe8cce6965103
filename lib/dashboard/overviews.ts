import { Inject, Injectable, Logger } from '@nestjs/common';
import { InvalidArgumentError, toStoredError } from '../errors/index.js';
import type { ServingProcess } from '../runner/explain/explanation.js';
import type { FailureGroups, Series as RunnerSeries } from '../runner/statistics/index.js';
import { systemClock, type Clock } from '../runtime/clock.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import type {
  FailureGroupRow,
  FailuresResponse,
  Overview,
  ProcessRow,
  Series,
  TenantOverview,
} from './http-types.js';
import { DASHBOARD_CLOCK } from './clock.js';
import { mergeProcesses, sumCounts, sumSeries } from './merge.js';
import { TenantChanges } from './tenant-changes.js';
import { TenantMoves, withCopies, withMove, type Sight } from './tenant-moves.js';
import { TenantReads, type Kept } from './tenant-reads.js';

/** How old numbers may be that have just changed, in milliseconds; see {@link TenantReads}. */
const FRESH_MS = 2_000;
const NUMBERS_MS = 5_000;
const DAY_SERIES_MS = 60_000;
/** How long a page waits for tenants that were not read yet, in milliseconds. */
const BUDGET_MS = 120;
const DAY_MS = 86_400_000;
/** How many recoveries of a tenant are read. */
const MAX_RECOVERIES = 10_000;
const MAX_BUSIEST = 50;
const MAX_GROUPS = 500;

/** What a page over tenants needs of one. */
interface TenantNumbers {
  readonly overview: TenantOverview;
  readonly series?: RunnerSeries;
  readonly recoveries: { readonly recovered: number; readonly abandoned: number };
  readonly processes: readonly ServingProcess[];
}

/** The pages over many tenants. They are made of numbers of each tenant, which all users share; each page adds up its own. */
@Injectable()
export class Overviews {
  private readonly logger = new Logger('CloacinaDashboard');
  /** What was logged of each tenant that can't be read, so that each trouble is one line. */
  private readonly troubles = new Map<string, string>();
  private readonly numbers: Kept<TenantNumbers> = {
    key: 'numbers',
    minAgeMs: NUMBERS_MS,
    read: (tenant) => this.numbersOf(tenant),
    shape: shapeOf,
  };

  constructor(
    @Inject(TenantReads) private readonly reads: TenantReads,
    @Inject(TenantChanges) private readonly changes: TenantChanges,
    @Inject(DASHBOARD_CLOCK) private readonly clock: Clock,
    @Inject(TenantMoves) private readonly moves: TenantMoves,
  ) {}

  /** The user has changed the tenant, so it is read again when a page asks. */
  changed(tenant: string): void {
    this.reads.forget(tenant, true);
  }

  /** Begins to read what is old, for a stream, and waits for nothing. */
  refresh(tenants: readonly Tenant[]): void {
    this.reads.refresh(tenants, this.numbers);
    this.moves.refresh(tenants);
  }

  /** Another one when some number may be another one. The series moves with the minutes. */
  get version(): string {
    return `${this.reads.version} ${this.moves.version} ${Math.floor(this.clock.wallTime() / 60_000)}`;
  }

  async overview(sight: Sight): Promise<Overview> {
    const { tenants } = sight;
    const [{ values, isComplete }, withPlaces] = await this.numbersAndPlaces(sight, tenants);
    const all = values.map(({ value }) => value);
    const overviews = values.map(({ tenant, value }) => withPlaces(tenant, value.overview));
    const [oldest] = overviews
      .flatMap(({ tenant, oldestDue }) =>
        oldestDue === undefined ? [] : [{ tenant, dueSince: oldestDue }],
      )
      .sort((a, b) => (a.dueSince < b.dueSince ? -1 : 1));
    return {
      at: currentTime().toISOString(),
      counts: sumCounts(overviews.flatMap(({ counts }) => counts ?? [])),
      tenants: tenants.length,
      tenantsRead: values.length,
      busiest: overviews.toSorted(busiestFirst).slice(0, MAX_BUSIEST),
      inTrouble: overviews.filter(({ problem }) => problem !== undefined).length,
      ...(oldest === undefined ? {} : { oldestDue: oldest }),
      series: sumSeries(
        'hour',
        all.flatMap(({ series }) => series ?? []),
        isComplete,
        currentTime().getTime(),
      ),
      recoveries: {
        recovered: all.reduce((sum, { recoveries }) => sum + recoveries.recovered, 0),
        abandoned: all.reduce((sum, { recoveries }) => sum + recoveries.abandoned, 0),
        isCapped: all.some(
          ({ recoveries }) => recoveries.recovered + recoveries.abandoned >= MAX_RECOVERIES,
        ),
      },
      processes: processesOf(values),
    };
  }

  /** @param tenants - some of those that the user may see */
  async tenants(tenants: readonly Tenant[], sight: Sight): Promise<TenantOverview[]> {
    const [{ values }, withPlaces] = await this.numbersAndPlaces(sight, tenants);
    const known = new Map(values.map(({ tenant, value }) => [tenant.name, value.overview]));
    return tenants.map((tenant) => withPlaces(tenant, known.get(tenant.name) ?? unread(tenant)));
  }

  async processes(tenants: readonly Tenant[]): Promise<ProcessRow[]> {
    return processesOf((await this.numbersOfAll(tenants)).values);
  }

  async series(
    tenants: readonly Tenant[],
    range: 'hour' | 'day',
    workflow?: string,
  ): Promise<Series> {
    const { values, isComplete } = await this.many(tenants, {
      key: `series ${range} ${workflow ?? ''}`,
      minAgeMs: range === 'hour' ? FRESH_MS : DAY_SERIES_MS,
      read: (tenant) =>
        this.unlessTrouble(tenant, ({ runner }) =>
          runner.statistics.series({ range, ...(workflow === undefined ? {} : { workflow }) }),
        ),
      shape: (series) => series?.buckets.filter(({ started }) => started > 0),
    });
    const all = values.flatMap(({ value }) => value ?? []);
    return sumSeries(
      range,
      all,
      isComplete && all.length === tenants.length,
      currentTime().getTime(),
    );
  }

  async failures(tenants: readonly Tenant[], workflow?: string): Promise<FailuresResponse> {
    const { values, isComplete } = await this.many(tenants, {
      key: `failures ${workflow ?? ''}`,
      minAgeMs: FRESH_MS,
      read: (tenant): Promise<FailureGroups | undefined> =>
        this.unlessTrouble(tenant, ({ runner }) =>
          runner.statistics.failures(workflow === undefined ? {} : { workflow }),
        ),
    });
    const groups = values.flatMap(({ tenant, value }) =>
      (value?.groups ?? []).map(
        ({ filter: _, error, firstAt, lastAt, ...group }): FailureGroupRow => ({
          ...group,
          tenant: tenant.name,
          error: {
            name: error.name,
            ...(error.code === undefined ? {} : { code: error.code }),
            message: error.message.slice(0, 2_000),
          },
          firstAt: firstAt.toISOString(),
          lastAt: lastAt.toISOString(),
        }),
      ),
    );
    groups.sort((a, b) => b.count - a.count || (a.lastAt > b.lastAt ? -1 : 1));
    return {
      groups: groups.slice(0, MAX_GROUPS),
      isComplete:
        isComplete &&
        groups.length <= MAX_GROUPS &&
        values.every(({ value }) => value?.isComplete === true),
    };
  }

  private numbersOfAll(tenants: readonly Tenant[]) {
    return this.many(tenants, this.numbers);
  }

  private async numbersAndPlaces(sight: Sight, tenants: readonly Tenant[]) {
    const [numbers, moves] = await Promise.all([
      this.numbersOfAll(tenants),
      this.moves.of(tenants, BUDGET_MS),
    ]);
    const copies = await this.moves.copiesOf(tenants, BUDGET_MS);
    const withPlaces = (tenant: Tenant, overview: TenantOverview): TenantOverview => {
      // The numbers may be those that were read on its former server.
      const placed = { ...overview, ...placeOf(tenant) };
      const { name } = tenant;
      return withMove(withCopies(placed, copies.get(name), sight), moves.get(name), sight);
    };
    return [numbers, withPlaces] as const;
  }

  private many<T>(tenants: readonly Tenant[], of: Kept<T>) {
    this.changes.asked(tenants);
    return this.reads.many(tenants, of, BUDGET_MS);
  }

  /** A tenant that can't be read is a row that says so, and no error of the page. */
  private async numbersOf(tenant: Tenant): Promise<TenantNumbers> {
    return (
      (await this.unlessTrouble(tenant, readNumbers)) ?? {
        overview: { ...unread(tenant), problem: 'The tenant could not be read. See the log.' },
        recoveries: { recovered: 0, abandoned: 0 },
        processes: [],
      }
    );
  }

  /**
   * Reads a tenant, or logs why that fails.
   *
   * @throws InvalidArgumentError for what the user asks for
   */
  private async unlessTrouble<T>(
    tenant: Tenant,
    read: (tenant: Tenant) => Promise<T>,
  ): Promise<T | undefined> {
    const { name } = tenant;
    try {
      const value = await read(tenant);
      this.troubles.delete(name);
      return value;
    } catch (error) {
      if (error instanceof InvalidArgumentError) throw error;
      const { message } = toStoredError(error);
      if (this.troubles.get(name) !== message) {
        this.logger.error(`Tenant ${JSON.stringify(name)} could not be read: ${message}`);
      }
      this.troubles.set(name, message);
      return undefined;
    }
  }
}

function processesOf(
  values: readonly { readonly tenant: Tenant; readonly value: TenantNumbers }[],
): ProcessRow[] {
  return mergeProcesses(
    values.map(({ tenant, value }) => ({ tenant: tenant.name, processes: value.processes })),
  );
}

async function readNumbers(tenant: Tenant): Promise<TenantNumbers> {
  const { runner, recovery } = tenant;
  const [counts, series, paused, processes, recoveries] = [
    await runner.statistics.counts(),
    await runner.statistics.series({ range: 'hour' }),
    await runner.pausedWorkflows(),
    await runner.processes(),
    await recovery.stats(new Date(systemClock.wallTime() - DAY_MS), MAX_RECOVERIES),
  ];
  return {
    overview: {
      ...placeOf(tenant),
      counts: counts.byStatus,
      ...(counts.oldestDue === undefined ? {} : { oldestDue: counts.oldestDue.toISOString() }),
      pausedWorkflows: paused.length,
      ...(processes.length === 0 ? { problem: 'No process serves the tenant.' } : {}),
      asOf: currentTime().toISOString(),
    },
    series,
    recoveries: { recovered: recoveries.recovered, abandoned: recoveries.abandoned },
    processes,
  };
}

/** What makes the numbers of two reads the same. The series belongs to the executions that are counted. */
function shapeOf({
  overview: { asOf: _, ...numbers },
  recoveries,
  processes,
}: TenantNumbers): unknown {
  return [numbers, recoveries, processes.map(({ id, state, claimed }) => [id, state, claimed])];
}

function unread(tenant: Tenant): TenantOverview {
  return { ...placeOf(tenant), pausedWorkflows: 0, asOf: currentTime().toISOString() };
}

function placeOf({ name, server }: Tenant): Pick<TenantOverview, 'tenant' | 'server'> {
  return { tenant: name, ...(server === undefined ? {} : { server }) };
}

/** Trouble first, then failures, then work. */
function busiestFirst(a: TenantOverview, b: TenantOverview): number {
  const weight = ({ problem, counts }: TenantOverview): number[] => [
    problem === undefined ? 0 : 1,
    counts?.Failed.count ?? 0,
    counts?.Running.count ?? 0,
    counts?.Completed.count ?? 0,
  ];
  const [of, other] = [weight(a), weight(b)];
  for (const [i, value] of of.entries()) {
    const difference = (other[i] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return a.tenant < b.tenant ? -1 : 1;
}

function currentTime(): Date {
  return new Date(systemClock.wallTime());
}
