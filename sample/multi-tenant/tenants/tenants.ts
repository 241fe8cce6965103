import { Injectable } from '@nestjs/common';
import { type CloacinaRunner, CloacinaTenants } from 'nestjs-cloacina';
import type { DataSource } from 'typeorm';
import { profileOf, type TenantProfile } from './profiles.js';

/** A customer, with what the application uses of it. */
export interface Tenant extends TenantProfile {
  readonly runner: CloacinaRunner;
  readonly dataSource: DataSource;
}

/** The customers by name, for code that serves all of them. */
@Injectable()
export class Tenants {
  constructor(private readonly served: CloacinaTenants) {}

  /** All that this process serves just now. */
  get all(): Tenant[] {
    return this.served.list().map(({ name }) => this.get(name));
  }

  /** An unknown one is the library's error, which the filter answers with 404. */
  get(name: string): Tenant {
    const { runner, dataSource } = this.served.get(name);
    return { ...profileOf(name), runner, dataSource };
  }
}
