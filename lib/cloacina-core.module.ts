import {
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { TenantRequest } from './cloacina.callbacks.js';
import { classProviders } from './boot/class-providers.js';
import { ConfigurationCheck } from './boot/configuration-check.js';
import { discoveredOptions } from './boot/discovered-tenants.js';
import { FailedProviders } from './boot/failed-providers.js';
import { helpWithInjections } from './boot/injection-help.js';
import type { UnknownTenantSite } from './boot/injection-problems.js';
import { CloacinaLifecycleModule } from './boot/lifecycle.module.js';
import type { Platform } from './boot/platform.js';
import {
  CLOCKS,
  INJECTION_HELP,
  PLATFORM,
  SHARED_OPTIONS,
  TENANT_MANAGER,
  type OptionsSource,
} from './boot/registration.js';
import { WorkflowRegistry } from './discovery/registered-workflow.js';
import { CloacinaRecoveryJobs, RECOVERY_PASSES, recoveryJobs } from './recovery/recovery-jobs.js';
import { CloacinaAdmin } from './tenants/admin/cloacina-admin.js';
import { releaseFrom } from './tenants/admin/release-here.js';
import { CloacinaTokens } from './tenants/hosting/cloacina-tokens.js';
import { CloacinaHealth } from './tenants/health/cloacina-health.js';
import { CloacinaTenants } from './tenants/hosting/cloacina-tenants.js';
import { SYSTEM_CLOCKS, type Clocks } from './store/postgres/clocks.js';
import { TenantManager } from './tenants/hosting/tenant-manager.js';
import { TenantResolver } from './tenants/requests/tenant-resolver.js';

const CLASS_PROVIDERS = classProviders();

/**
 * The providers that all tenants of an application share. Every module of CloacinaModule imports it; Nest makes it
 * once.
 */
@Global()
@Module({
  imports: [CloacinaLifecycleModule],
  providers: [
    {
      provide: CLOCKS,
      useFactory: (platform?: Platform) => platform?.clocks ?? SYSTEM_CLOCKS,
      inject: [{ token: PLATFORM, optional: true }],
    },
    // Depends on Nest's own providers only, so it runs before Nest gives up on an unknown token.
    { provide: INJECTION_HELP, useFactory: helpWithInjections, inject: [ModulesContainer] },
    {
      provide: ConfigurationCheck,
      useFactory: (
        modules: ModulesContainer,
        unknownTenants: readonly UnknownTenantSite[],
        given?: OptionsSource,
      ) => new ConfigurationCheck(modules, given, unknownTenants),
      inject: [ModulesContainer, INJECTION_HELP, { token: SHARED_OPTIONS, optional: true }],
    },
    {
      provide: WorkflowRegistry,
      useFactory: (boot: ConfigurationCheck) => boot.registry,
      inject: [ConfigurationCheck],
    },
    {
      provide: TENANT_MANAGER,
      useFactory: (boot: ConfigurationCheck, clocks: Clocks, platform?: Platform) =>
        platform?.createManager(boot) ??
        new TenantManager(boot.registry, boot.shared.maxConcurrentTasks, boot.hooks, clocks),
      inject: [ConfigurationCheck, CLOCKS, { token: PLATFORM, optional: true }],
    },
    {
      provide: CloacinaTenants,
      useFactory: (boot: ConfigurationCheck, host: TenantManager, admin: CloacinaAdmin) =>
        new CloacinaTenants({ host, admit: (options) => boot.admit(options), admin }),
      inject: [ConfigurationCheck, TENANT_MANAGER, CloacinaAdmin],
    },
    {
      provide: CloacinaHealth,
      useFactory: (host: TenantManager, clocks: Clocks) =>
        new CloacinaHealth({ host, clock: clocks.process }),
      inject: [TENANT_MANAGER, CLOCKS],
    },
    {
      provide: CloacinaTokens,
      useFactory: (
        { shared: { given } }: ConfigurationCheck,
        host: TenantManager,
        clocks: Clocks,
      ) =>
        new CloacinaTokens({
          host,
          secrets: [given.signalSecret ?? []].flat(),
          clock: clocks.process,
        }),
      inject: [ConfigurationCheck, TENANT_MANAGER, CLOCKS],
    },
    {
      provide: CloacinaAdmin,
      useFactory: ({ shared: { given } }: ConfigurationCheck, host: TenantManager) =>
        new CloacinaAdmin({
          databaseUrl: given.databaseUrl,
          connection: given.connection,
          ...(given.servers === undefined ? {} : { servers: given.servers }),
          ...(given.placeTenant === undefined ? {} : { placeTenant: given.placeTenant }),
          release: releaseFrom(host, given),
        }),
      inject: [ConfigurationCheck, TENANT_MANAGER],
    },
    {
      provide: TenantResolver,
      useFactory: (boot: ConfigurationCheck, tenants: CloacinaTenants) => {
        const { given } = boot.shared;
        return new TenantResolver({
          tenants,
          ...(given.tenantFrom !== undefined
            ? { tenantFrom: (request: TenantRequest) => given.tenantFrom?.(request) }
            : {}),
          report: (problem) => boot.report(problem),
        });
      },
      inject: [ConfigurationCheck, CloacinaTenants],
    },
    { provide: RECOVERY_PASSES, useExisting: TENANT_MANAGER },
    {
      provide: CloacinaRecoveryJobs,
      useFactory: recoveryJobs,
      inject: [RECOVERY_PASSES, ModulesContainer],
    },
    ...CLASS_PROVIDERS,
  ],
  exports: [
    CLOCKS,
    ConfigurationCheck,
    WorkflowRegistry,
    TENANT_MANAGER,
    CloacinaTenants,
    CloacinaHealth,
    CloacinaTokens,
    TenantResolver,
    CloacinaAdmin,
    CloacinaRecoveryJobs,
    ...CLASS_PROVIDERS.map(({ provide }) => provide),
  ],
})
export class CloacinaCoreModule implements OnModuleInit, OnApplicationShutdown {
  private readonly failedProviders: FailedProviders;

  constructor(
    @Inject(ConfigurationCheck) private readonly boot: ConfigurationCheck,
    @Inject(TENANT_MANAGER)
    private readonly host: Pick<TenantManager, 'close' | 'discover' | 'stopWaiting'>,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(CLOCKS) clocks: Clocks,
  ) {
    this.failedProviders = new FailedProviders(modules, () => host.stopWaiting(), clocks.process);
  }

  /** Runs when every provider is instantiated, before other modules' hooks use one: global modules come first. */
  async onModuleInit(): Promise<void> {
    this.failedProviders.stop();
    try {
      this.boot.finish();
      if (this.boot.shared.discover !== undefined) await this.discover();
    } catch (error) {
      // Nest 11 calls no further hooks once a boot has failed.
      await this.host.close();
      throw error;
    }
  }

  /** Opens the discovered tenants, so that other modules' hooks find them open. */
  private async discover(): Promise<void> {
    const names = Object.keys(this.boot.shared.given.servers ?? {});
    const servers = names.length === 0 ? [{}] : names.map((server) => ({ server }));
    await this.host.discover(
      servers.map((at) => ({
        group: this.boot.admit({ tenant: 'discovery', schema: 'public', ...at }),
        optionsOf: (found) => discoveredOptions({ ...found, ...at }, this.boot),
      })),
    );
  }

  /** Runs last, because the module is global, so all other modules can use connections until their own hooks end. */
  async onApplicationShutdown(): Promise<void> {
    await this.host.close();
  }
}
