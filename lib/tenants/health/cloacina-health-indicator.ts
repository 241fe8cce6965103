import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { CloacinaHealth } from './cloacina-health.js';
import type { HealthOptions, HealthReport } from './health-report.js';

/** What an indicator adds to its status. */
interface IndicatorDetails extends Record<string, unknown> {
  reasons: string[];
}

/**
 * The health of this process for `@nestjs/terminus`, version 11 and later. Provide it in a module that imports
 * `TerminusModule`.
 *
 * @example
 * ```ts
 * @Controller('health')
 * export class HealthController {
 *   constructor(
 *     private readonly terminus: HealthCheckService,
 *     private readonly cloacina: CloacinaHealthIndicator,
 *   ) {}
 *
 *   @Get('ready')
 *   @HealthCheck()
 *   ready() {
 *     return this.terminus.check([() => this.cloacina.isReady('cloacina')]);
 *   }
 * }
 * ```
 */
@Injectable()
export class CloacinaHealthIndicator {
  constructor(
    @Inject(CloacinaHealth) private readonly health: CloacinaHealth,
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
  ) {}

  /**
   * The whole report: `up`, `degraded` or `down`. Terminus 11 knows no `degraded`; there the status is `up` with
   * `degraded: true`.
   *
   * @throws InvalidArgumentError for an invalid option, as all methods
   */
  async isHealthy<const K extends string>(
    key: K,
    options?: HealthOptions,
  ): Promise<HealthIndicatorResult<K>> {
    const { status, reasons, databases, tenants, oldestDue } = await this.health.check(options);
    const details = {
      reasons,
      databases,
      tenants,
      ...(oldestDue === undefined ? {} : { oldestDue }),
    };
    const session = this.indicators.check(key);
    if (status === 'down') return session.down(details);
    if (status === 'up') return session.up(details);
    // Absent in Terminus 11.
    const degraded = Reflect.get(session, 'degraded') as unknown;
    return typeof degraded === 'function'
      ? session.degraded(details)
      : session.up({ degraded: true, ...details });
  }

  /** `down` while the process should get no traffic. For a readiness probe. */
  async isReady<const K extends string>(
    key: K,
    options?: HealthOptions,
  ): Promise<HealthIndicatorResult<K>> {
    return this.result(key, options, ({ isReady }) => isReady);
  }

  /** `down` only if a restart of the process helps. For a liveness probe. */
  async isLive<const K extends string>(
    key: K,
    options?: HealthOptions,
  ): Promise<HealthIndicatorResult<K>> {
    return this.result(key, options, ({ isLive }) => isLive);
  }

  private async result<const K extends string>(
    key: K,
    options: HealthOptions | undefined,
    isUp: (report: HealthReport) => boolean,
  ): Promise<HealthIndicatorResult<K>> {
    const report = await this.health.check(options);
    const details: IndicatorDetails = { reasons: report.reasons };
    const session = this.indicators.check(key);
    return isUp(report) ? session.up(details) : session.down(details);
  }
}
