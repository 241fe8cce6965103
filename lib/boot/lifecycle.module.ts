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

/** How long after its initialization an application has to enable shutdown hooks, in milliseconds. */
const SHUTDOWN_HOOKS_GRACE_MS = 1_000;
/** How long a shutdown waits for running methods with `@OnWorkflowEvent`, in milliseconds. */
const LISTENERS_GRACE_MS = 5_000;
/** Distance below that of the root module, which is 1; Nest gives no module less than 0. */
const LAST = -1;

/**
 * Starts claiming after every other module has bootstrapped, and drains before any other module is destroyed. So the
 * services that handlers use live until the handlers have ended.
 *
 * Nest destroys the root module first and global modules last. To be destroyed before the root module, this module needs
 * a smaller distance than the root's. Nest sorts modules by distance when it calls the first hook, after it has made all
 * instances, so the constructor can set it.
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
      // A failed boot calls no shutdown hooks, so the connections are closed here.
      await this.host.close();
      throw error;
    }
    const { maxConcurrentTasks } = this.boot.shared;
    this.logger.log(
      describeServing({
        tenants: this.host.list().map(({ tenant }) => tenant.name),
        workflows: this.boot.registry.ofApplication().map(({ definition }) => definition.name),
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
      // An error here would make Nest 11 skip the hooks of all other modules.
      this.logger.error(
        `The drain failed, so other processes will recover the tasks of this one: ${messageWithoutSecrets(error)}`,
      );
    }
    await this.listenersSettled();
  }

  private async listenersSettled(): Promise<void> {
    const settled = new AbortController();
    const late = async (): Promise<void> => {
      await this.clocks.process.sleep(LISTENERS_GRACE_MS, settled.signal);
      if (settled.signal.aborted) return;
      this.logger.warn('Methods with @OnWorkflowEvent are still running; the shutdown continues.');
    };
    await Promise.race([this.boot.hooks.listeners.settled(), late()]);
    settled.abort();
  }

  /**
   * Warns if nothing handles SIGTERM. Nest doesn't tell whether `enableShutdownHooks` was called, but listeners of the
   * signal show it. An application may also listen and close itself. Without any listener, the signal kills the process
   * and its tasks.
   */
  private warnWithoutShutdownHooks(): void {
    if (process.listenerCount('SIGTERM') > 0) return;
    this.logger.warn(
      'No listener handles SIGTERM: a deploy will kill this process with its running tasks, and other processes will ' +
        'recover them. Call app.enableShutdownHooks() in main.ts to let them finish.',
    );
  }
}
