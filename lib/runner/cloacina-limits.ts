import type { TenantEngine } from '../engine/tenant-engine.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import { checkLimitFilter, checkSettings } from './limit-arguments.js';
import type { LimitReader } from './limit-reader.js';
import type { LimitFilter, LimitPage, LimitSettings } from './limit-state.js';
import type { ServedCalls } from './served-calls.js';

interface LimitsParts {
  readonly engine: Pick<TenantEngine, 'store' | 'wakeUps'>;
  readonly reader: LimitReader;
  readonly served: Pick<ServedCalls, 'run'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/** The limits of a tenant: `runner.limits`. */
export class CloacinaLimits {
  /** @internal */
  constructor(private readonly parts: LimitsParts) {}

  /**
   * Sets numbers of a limit, or of one key of it. They take precedence over those of the code in all processes, from the
   * next claim on. Tasks that run are not stopped.
   *
   * @param name - the name of the limit
   * @param settings - a number that is left out stays as it is; `null` takes that of the code again
   * @throws InvalidArgumentError for a name, a key or a number that is not valid
   * @throws DatabaseUnavailableError if the database was unreachable for `startTimeout`
   * @example
   * ```ts
   * await runner.limits.set('stripe', { concurrency: 2 });
   * await runner.limits.set('stripe', { key: 'acct_17', concurrency: 20 });
   * ```
   */
  async set(name: string, settings: LimitSettings): Promise<void> {
    const { engine, served, whileUnavailable } = this.parts;
    const { limitKey, change } = checkSettings(name, settings);
    const { limits } = engine.store;
    await served.run(() =>
      whileUnavailable.run(() =>
        limitKey === undefined ? limits.setLimit(name, change) : limits.setKey(limitKey, change),
      ),
    );
    // There may be more room now.
    engine.wakeUps.wakeWorkers();
  }

  /**
   * Lists keys with their numbers, the tasks that run and the number of those that wait, by name and key. A key is listed
   * from its first claim on, until it is not used any more: no number is set for it, no task of it waits, its last task began
   * more than an hour ago, and all its tokens are back.
   *
   * @throws InvalidArgumentError for an invalid option
   * @throws DatabaseUnavailableError as {@link set}
   * @example
   * ```ts
   * const { items } = await runner.limits.list({ name: 'stripe', full: true });
   * for (const { key, inUse, concurrency, waiting } of items) console.log(key, inUse, concurrency, waiting);
   * ```
   */
  list(filter: LimitFilter = {}): Promise<LimitPage> {
    const { reader, served, whileUnavailable } = this.parts;
    const checked = checkLimitFilter(filter);
    return served.run(() => whileUnavailable.run(() => reader.list(checked)));
  }
}
