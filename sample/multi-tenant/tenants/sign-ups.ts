import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { CloacinaAdmin, CloacinaTenants, PermissionError } from 'nestjs-cloacina';
import { OwnLogin } from './own-login.js';
import { initech, nameOf, profileOf } from './profiles.js';
import { tenantOptions } from './tenant-options.js';
import { type Tenant, Tenants } from './tenants.js';

/** Adds and removes customers while the application runs. */
@Injectable()
export class SignUps implements OnApplicationBootstrap {
  constructor(
    private readonly served: CloacinaTenants,
    private readonly admin: CloacinaAdmin,
    private readonly tenants: Tenants,
    private readonly ownLogin: OwnLogin,
  ) {}

  /** Finds the customers of earlier runs by their schemas. There is no second list that could differ. */
  async onApplicationBootstrap(): Promise<void> {
    const schemas = (await this.admin.listTenants()).map(({ schema }) => schema);
    const earlier = schemas.map(nameOf).filter((name) => name !== undefined);
    const others = earlier.filter((name) => name !== initech.name);
    await Promise.all([this.addInitech(), ...others.map((name) => this.add(name))]);
  }

  /** Creates and migrates the schema, and serves it. For an existing customer, it changes nothing. */
  async add(name: string): Promise<Tenant> {
    if (!this.served.has(name)) {
      const profile = profileOf(name);
      const login =
        profile.hasOwnLogin === true ? { databaseUrl: await this.ownLogin.urlFor(profile) } : {};
      await this.served.add({ ...tenantOptions(profile), ...login });
    }
    return this.tenants.get(name);
  }

  private async addInitech(): Promise<void> {
    try {
      await this.add(initech.name);
    } catch (error) {
      if (!(error instanceof PermissionError)) throw error;
      new Logger('SignUps').warn(`Without ${initech.name}, who needs a login: ${error.message}`);
    }
  }

  /** Stops serving the customer, and drops its schema with everything in it, and its login if it has one. */
  async remove(name: string): Promise<string[]> {
    const { schema } = this.tenants.get(name);
    const { dropped } = await this.admin.removeTenant({ schema, drain: '5s' });
    return dropped;
  }
}
