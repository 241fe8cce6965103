import { Injectable } from '@nestjs/common';
import { type CloacinaRunner, CloacinaTenants } from 'nestjs-cloacina';
import type { DataSource } from 'typeorm';
import { profileOf, type TenantProfile } from './profiles.js';

/** A customer, with the parts of its tenant that the application uses. */
export interface Tenant extends TenantProfile {
  readonly runner: CloacinaRunner;
  readonly dataSource: DataSource;
}

/** Finds customers by name, for code that serves all of them. */
@Injectable()
export class Tenants {
  constructor(private readonly served: CloacinaTenants) {}

  /** All customers that this process serves at the moment. */
  get all(): Tenant[] {
    return this.served.list().map(({ name }) => this.get(name));
  }

  /** Throws the library's error for an unknown name, which the filter answers with 404. */
  get(name: string): Tenant {
    const { runner, dataSource } = this.served.get(name);
    return { ...profileOf(name), runner, dataSource };
  }
}
