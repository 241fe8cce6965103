import type { ModulesContainer } from '@nestjs/core';
import type { NestProvider } from '../discovery/workflow-providers.js';
import type { Clock, Timer } from '../runtime/clock.js';

/** How often to look for providers whose creation has begun, in milliseconds. */
const LOOK_INTERVAL_MS = 250;

/**
 * Detects that Nest failed to create a provider, a controller or a module's class. Nest then rejects the boot without
 * telling any module, so a tenant would wait a whole minute for a database that cannot be reached.
 *
 * Nest 11 and 12 keep a signal for each instance that they are creating. The application may catch the failure of such an
 * instance, so a failure only ends the waiting; it closes nothing.
 */
export class FailedProviders {
  private readonly seen = new WeakSet<object>();
  /** Those of the boot: a module that is loaded later may fail without failing the boot. */
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
      // The promise never rejects: it resolves to the error, or to undefined.
      void settlementSignal.asPromise().then((error: unknown) => {
        if (error === undefined || this.timer === undefined) return;
        this.stop();
        this.onFailure();
      });
    }
  }
}
