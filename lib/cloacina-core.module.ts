import {
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { TenantRequest } from './cloacina.options.js';
import { Boot } from './boot/boot.js';
import { FailedProviders } from './boot/failed-providers.js';
import { CloacinaLifecycleModule } from './boot/lifecycle.module.js';
import { SHARED_OPTIONS, TENANT_HOST, type GivenOptions } from './boot/registration.js';
import { servesOnly } from './discovery/served-workflows.js';
import { WorkflowRegistry } from './discovery/registered-workflow.js';
import { CloacinaRecoveryJobs, RECOVERY_PASSES } from './recovery/recovery-jobs.js';
import { CloacinaAdmin } from './tenants/admin/cloacina-admin.js';
import { releaseFrom } from './tenants/admin/release-here.js';
import { CloacinaTenants } from './tenants/cloacina-tenants.js';
import { TenantHost } from './tenants/tenant-host.js';
import { TenantResolver } from './tenants/tenant-resolver.js';

/** What the tenants of one application share. Imported by every module that CloacinaModule makes; there is one. */
@Global()
@Module({
  imports: [CloacinaLifecycleModule],
  providers: [
    {
      provide: Boot,
      useFactory: (modules: ModulesContainer, given?: GivenOptions) => new Boot(modules, given),
      inject: [ModulesContainer, { token: SHARED_OPTIONS, optional: true }],
    },
    { provide: WorkflowRegistry, useFactory: (boot: Boot) => boot.registry, inject: [Boot] },
    {
      provide: TENANT_HOST,
      useFactory: (boot: Boot) => new TenantHost(boot.registry, boot.shared.maxConcurrentTasks),
      inject: [Boot],
    },
    {
      provide: CloacinaTenants,
      useFactory: (boot: Boot, host: TenantHost) =>
        new CloacinaTenants({ host, admit: (options) => boot.admit(options) }),
      inject: [Boot, TENANT_HOST],
    },
    {
      provide: CloacinaAdmin,
      useFactory: ({ shared: { given } }: Boot, host: TenantHost) =>
        new CloacinaAdmin({
          databaseUrl: given.databaseUrl,
          connection: given.connection,
          release: releaseFrom(host, given),
        }),
      inject: [Boot, TENANT_HOST],
    },
    {
      provide: TenantResolver,
      useFactory: (boot: Boot, tenants: CloacinaTenants) => {
        const { given } = boot.shared;
        return new TenantResolver({
          tenants,
          ...(given.tenantFrom !== undefined
            ? { tenantFrom: (request: TenantRequest) => given.tenantFrom?.(request) }
            : {}),
          report: (problem) => boot.report(problem),
        });
      },
      inject: [Boot, CloacinaTenants],
    },
    { provide: RECOVERY_PASSES, useExisting: TENANT_HOST },
    CloacinaRecoveryJobs,
  ],
  exports: [
    Boot,
    WorkflowRegistry,
    TENANT_HOST,
    CloacinaTenants,
    TenantResolver,
    CloacinaAdmin,
    CloacinaRecoveryJobs,
  ],
})
export class CloacinaCoreModule implements OnModuleInit, OnApplicationShutdown {
  private readonly failedProviders: FailedProviders;

  constructor(
    @Inject(Boot) private readonly boot: Boot,
    @Inject(TENANT_HOST)
    private readonly host: Pick<TenantHost, 'close' | 'discover' | 'stopWaiting'>,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    this.failedProviders = new FailedProviders(modules, () => host.stopWaiting());
  }

  /** Every provider is instantiated, and no other module's hook has used one: global modules come first. */
  async onModuleInit(): Promise<void> {
    this.failedProviders.stop();
    try {
      this.boot.finish();
      if (this.boot.shared.discoverTenants) await this.discover();
    } catch (error) {
      // Nest 11 calls no further hooks once a boot has failed.
      await this.host.close();
      throw error;
    }
  }

  /** The other modules' hooks find the tenants open. */
  private async discover(): Promise<void> {
    const serves = servesOnly(undefined);
    await this.host.discover({
      login: this.boot.discoveredOptions({ tenant: 'discovery', schema: 'public' }),
      optionsOf: (found) => ({ ...this.boot.discoveredOptions(found), serves }),
    });
  }

  /** Global modules come last, so connections are there as long as anyone can ask for them. */
  async onApplicationShutdown(): Promise<void> {
    await this.host.close();
  }
}
