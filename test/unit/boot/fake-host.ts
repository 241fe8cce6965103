import type { ResolvedTenantOptions } from '../../../lib/options/index.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';
import type { TenantRuntime } from '../../../lib/tenants/hosting/tenant-runtime.js';
import type { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';

/** A host without a database, for tests of the wiring: it says what was asked of it, in order. */
export class FakeHost implements Pick<
  TenantManager,
  'openTenant' | 'stopWaiting' | 'startClaiming' | 'drain' | 'close' | 'list'
> {
  readonly calls: string[];
  readonly opened: ResolvedTenantOptions[] = [];
  refuse: string | undefined;

  constructor(calls: string[] = []) {
    this.calls = calls;
  }

  openTenant(options: ResolvedTenantOptions): Promise<Tenant> {
    this.calls.push(`open ${options.tenant}`);
    if (options.tenant === this.refuse) return Promise.reject(new Error('refused'));
    this.opened.push(options);
    const part = (name: string) => ({ is: `${name} of ${options.tenant}` });
    const dataSource = {
      ...part('dataSource'),
      manager: part('manager'),
      getMetadata: () => ({}),
      getRepository: (entity: { name: string }) => part(`repository ${entity.name}`),
    };
    const tenant = {
      name: options.tenant,
      schema: options.schema,
      runner: part('runner'),
      migrator: part('migrator'),
    };
    return Promise.resolve({ ...tenant, dataSource } as unknown as Tenant);
  }

  stopWaiting(): void {}

  list(): TenantRuntime[] {
    return [];
  }

  startClaiming(): Promise<void> {
    this.calls.push('startClaiming');
    return Promise.resolve();
  }

  drain(): Promise<void> {
    this.calls.push('drain');
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.calls.push('close');
    return Promise.resolve();
  }
}
