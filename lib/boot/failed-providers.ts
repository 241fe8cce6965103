import type { ModulesContainer } from '@nestjs/core';
import type { NestProvider } from '../discovery/workflow-providers.js';
import type { Clock, Timer } from '../runtime/clock.js';

/** How often providers are looked at that are being made, in milliseconds. */
const LOOK_INTERVAL_MS = 250;

/**
 * Notices that a provider, a controller or a module's class could not be made. Nest rejects the boot then and tells no
 * module, so a tenant would wait the whole minute for a database that is away.
 *
 * Nest 11 and 12 have a signal of each instance that is being made. It may also be of an instance whose failure is
 * caught, so it is reason enough to stop waiting, not to close anything.
 */
export class FailedProviders {
  private readonly seen = new WeakSet<object>();
  /** Modules that are loaded later may fail without the boot. */
  private readonly providers: readonly NestProvider[];
  private timer: Timer | undefined;

  constructor(
    modules: ModulesContainer,
    private readonly onFailure: () => void,
    clock: Clock,
  ) {
    this.providers = [...modules.values()].flatMap((module) => [
      ...module.providers.values(),
      ...module.controllers.values(),
      ...module.injectables.values(),
    ]);
    this.timer = clock.interval(() => this.look(), LOOK_INTERVAL_MS);
    this.look();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private look(): void {
    for (const { settlementSignal } of this.providers) {
      if (settlementSignal === undefined || this.seen.has(settlementSignal)) continue;
      this.seen.add(settlementSignal);
      // It resolves, to the error if there was one.
      void settlementSignal.asPromise().then((error: unknown) => {
        if (error === undefined || this.timer === undefined) return;
        this.stop();
        this.onFailure();
      });
    }
  }
}
