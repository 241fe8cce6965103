import { InvalidArgumentError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { Clock } from '../../runtime/clock.js';
import { DURATION_FORM, parseDuration, type Duration } from '../../workflow/index.js';
import type { ConnectionGroup } from '../hosting/connection-group.js';
import type { TenantManager } from '../hosting/tenant-manager.js';
import { DatabaseProbe } from './database-probe.js';
import type { DatabaseHealth, HealthOptions, HealthReport } from './health-report.js';
import { oldestDueOf, tenantTroubles } from './tenant-troubles.js';
import { verdictOf } from './verdict.js';

const DEFAULT_TIMEOUT_MS = 1_000;
const MAX_TIMEOUT_MS = 10_000;
const DEFAULT_BACKLOG_MS = 60_000;
const DEFAULT_LISTED = 10;
const MAX_LISTED = 1_000;

export interface HealthParts {
  readonly host: Pick<TenantManager, 'list' | 'groups' | 'isClaiming' | 'isStopping' | 'notOpened'>;
  readonly clock: Clock;
}

/**
 * The health of this process, for probes of an orchestrator and for people. Injectable in every module of an application
 * that imports `CloacinaModule`. With Terminus, use `CloacinaHealthIndicator` of `nestjs-cloacina/terminus`.
 *
 * @example
 * ```ts
 * @Controller('health')
 * export class HealthController {
 *   constructor(private readonly health: CloacinaHealth) {}
 *
 *   @Get('ready')
 *   async ready() {
 *     const { isReady, reasons } = await this.health.check();
 *     if (!isReady) throw new ServiceUnavailableException(reasons);
 *   }
 * }
 * ```
 */
export class CloacinaHealth {
  private readonly probes = new WeakMap<ConnectionGroup, DatabaseProbe>();

  /** @internal Applications get it by injection. */
  constructor(private readonly parts: HealthParts) {}

  /**
   * Reports the health of this process. It sends each database one cheap statement, at most one a second for all callers, and
   * takes the rest from memory: due tasks and broken schemas are those of the latest sweep, which is at most 15 s old. It
   * never rejects because of a database, and takes at most `timeout`.
   *
   * @throws InvalidArgumentError for an invalid option
   */
  async check(options: HealthOptions = {}): Promise<HealthReport> {
    const timeoutMs = duration('timeout', options.timeout, DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS);
    const backlogMs = duration('backlogAfter', options.backlogAfter, DEFAULT_BACKLOG_MS);
    const listed = checkListed(options.listed);
    const { host, clock } = this.parts;
    const runtimes = host.list();
    const databases = await Promise.all(
      host.groups().map((group) => this.databaseOf(group, timeoutMs)),
    );
    const troubles = tenantTroubles(runtimes, host.notOpened(), backlogMs);
    const states = runtimes.map(({ engine }) => engine.self.servingState);
    const paused = states.filter((state) => state === 'paused').length;
    const [oldestDue] = runtimes
      .flatMap((runtime) => oldestDueOf(runtime) ?? [])
      .toSorted((a, b) => b.dueForMs - a.dueForMs);
    const facts = {
      isClaiming: host.isClaiming,
      isStopping: host.isStopping,
      runsTasks: runtimes.some(({ engine }) => engine.self.slots > 0),
      needsRestart: runtimes.some(({ engine }) => engine.self.needsRestart),
      total: runtimes.length,
      paused,
      databases,
      troubles,
    };
    return {
      ...verdictOf(facts),
      databases,
      tenants: {
        total: runtimes.length,
        paused,
        inTrouble: troubles.length,
        troubled: troubles.slice(0, listed),
      },
      ...(oldestDue === undefined ? {} : { oldestDue }),
      at: new Date(clock.wallTime()),
    };
  }

  private async databaseOf(group: ConnectionGroup, timeoutMs: number): Promise<DatabaseHealth> {
    const known = this.probes.get(group);
    const probe = known ?? new DatabaseProbe(this.parts.clock, () => group.ping());
    if (known === undefined) this.probes.set(group, probe);
    const { latencyMs, error } = await probe.check(timeoutMs);
    const { host, port, database } = group.place;
    return {
      ...(group.server === undefined ? {} : { server: group.server }),
      database: `${host}:${port}/${database}`,
      isUp: error === undefined,
      ...(latencyMs === undefined ? {} : { latencyMs }),
      ...(error === undefined ? {} : { error }),
      controlConnection: group.controlState,
      tenants: this.parts.host.list().filter((runtime) => runtime.group === group).length,
    };
  }
}

function duration(
  name: string,
  given: Duration | undefined,
  byDefault: number,
  max = Infinity,
): number {
  if (given === undefined) return byDefault;
  const ms = parseDuration(given);
  if (ms !== undefined && ms > 0 && ms <= max) return ms;
  const upTo = Number.isFinite(max) ? ` of at most ${max} ms` : '';
  throw new InvalidArgumentError(
    name,
    `must be ${DURATION_FORM}${upTo}, not ${formatValue(given)}`,
  );
}

function checkListed(listed: number = DEFAULT_LISTED): number {
  if (Number.isInteger(listed) && listed >= 0 && listed <= MAX_LISTED) return listed;
  throw new InvalidArgumentError(
    'listed',
    `must be a whole number from 0 to ${MAX_LISTED}, not ${formatValue(listed)}`,
  );
}
