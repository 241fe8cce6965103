import {
  Inject,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { messageWithoutSecrets } from '../errors/index.js';
import { describeServing } from '../tenants/hosting/serving-log.js';
import type { Timer } from '../runtime/clock.js';
import type { Clocks } from '../store/postgres/clocks.js';
import type { TenantManager } from '../tenants/hosting/tenant-manager.js';
import { ConfigurationCheck } from './configuration-check.js';
import { CLOCKS, TENANT_MANAGER } from './registration.js';

/** How long an application has to enable shutdown hooks after it was initialized, in milliseconds. */
const SHUTDOWN_HOOKS_GRACE_MS = 1_000;
/** How long a shutdown waits for methods with `@OnWorkflowEvent`, in milliseconds. */
const LISTENERS_GRACE_MS = 5_000;
/** Below the root module's 1; Nest gives no module less than 0. */
const LAST = -1;

/**
 * Begins to claim after every other module has bootstrapped, and drains before any other module is destroyed, so that
 * handlers find the services that they use alive to their end.
 *
 * Nest destroys the root module first and global modules last, so the drain must be in a module that Nest takes to be
 * above the root: one of the least distance. Nest sorts by it when the first hook is called, after all instances are
 * made, so it is set here.
 */
@Module({})
export class CloacinaLifecycleModule implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Cloacina');
  private hooksCheck: Timer | undefined;

  constructor(
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(TENANT_MANAGER)
    private readonly host: Pick<TenantManager, 'startClaiming' | 'drain' | 'close' | 'list'>,
    @Inject(ConfigurationCheck) private readonly boot: ConfigurationCheck,
    @Inject(CLOCKS) private readonly clocks: Clocks,
  ) {
    for (const module of modules.values()) {
      if (module.metatype === CloacinaLifecycleModule) module.distance = LAST;
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.host.startClaiming();
    } catch (error) {
      // The boot ends here, and nothing else would close what is open.
      await this.host.close();
      throw error;
    }
    const { maxConcurrentTasks } = this.boot.shared;
    this.logger.log(
      describeServing({
        tenants: this.host.list().map(({ tenant }) => tenant.name),
        workflows: this.boot.registry.list().map(({ definition }) => definition.name),
        maxConcurrentTasks,
      }),
    );
    if (maxConcurrentTasks > 0) {
      this.hooksCheck = this.clocks.process.timer(
        () => this.warnWithoutShutdownHooks(),
        SHUTDOWN_HOOKS_GRACE_MS,
      );
    }
  }

  async onModuleDestroy(): Promise<void> {
    this.hooksCheck?.cancel();
    try {
      await this.host.drain();
    } catch (error) {
      // Nest 11 would skip the hooks of all other modules.
      this.logger.error(
        `The drain failed, so other processes will recover what ran here: ${messageWithoutSecrets(error)}`,
      );
    }
    await this.listenersSettled();
  }

  private async listenersSettled(): Promise<void> {
    const settled = new AbortController();
    const late = async (): Promise<void> => {
      await this.clocks.process.sleep(LISTENERS_GRACE_MS, settled.signal);
      if (settled.signal.aborted) return;
      this.logger.warn('Methods with @OnWorkflowEvent are still at work; the shutdown goes on.');
    };
    await Promise.race([this.boot.hooks.listeners.settled(), late()]);
    settled.abort();
  }

  /**
   * Nest doesn't tell whether `enableShutdownHooks` was called. It listens for signals, as an application that closes
   * itself on one does; without any listener the process dies with its tasks.
   */
  private warnWithoutShutdownHooks(): void {
    if (process.listenerCount('SIGTERM') > 0) return;
    this.logger.warn(
      'Nothing listens for SIGTERM: a deploy will kill this process with its running tasks, which other processes then ' +
        'recover, instead of letting them finish. Call app.enableShutdownHooks() in main.ts.',
    );
  }
}
