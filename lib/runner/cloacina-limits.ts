import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { TenantEngine } from '../engine/tenant-engine.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import {
  checkAdmissionFilter,
  checkAdmissionSettings,
  checkLimitFilter,
  checkSettings,
} from './limit-arguments.js';
import type { LimitReader } from './limit-reader.js';
import type {
  AdmissionFilter,
  AdmissionPage,
  AdmissionSettings,
  LimitFilter,
  LimitPage,
  LimitSettings,
} from './limit-state.js';
import type { ServedCalls } from './served-calls.js';
import type { TurnReader } from './turn-reader.js';

interface LimitsParts {
  readonly engine: Pick<TenantEngine, 'store' | 'wakeUps'>;
  readonly reader: LimitReader;
  readonly turns: Pick<TurnReader, 'list'>;
  readonly nameOf: (workflow: WorkflowRef) => string;
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
   * from its first claim on, until it is no longer used: no number is set for it, no task of it waits, its last task began
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

  /**
   * Sets numbers of the admission of a workflow, or of one key of it. They take precedence over those of the code in all
   * processes, for executions that have not begun. Executions that run are not stopped.
   *
   * @param workflow - a workflow with an `admission`
   * @param settings - a number that is left out stays as it is; `null` takes that of the code again. `concurrency: 0` lets no
   *   execution begin
   * @throws InvalidArgumentError for a key or a number that is not valid
   * @throws UnknownWorkflowError for a class or definition that is not registered
   * @throws DatabaseUnavailableError as {@link set}
   * @example
   * ```ts
   * await runner.limits.setAdmission(Sync, { key: 'acct_17', concurrency: 3 });
   * ```
   */
  async setAdmission(workflow: WorkflowRef, settings: AdmissionSettings): Promise<void> {
    const { engine, served, whileUnavailable, nameOf } = this.parts;
    const { name, limitKey, change } = checkAdmissionSettings(nameOf(workflow), settings);
    const { limits } = engine.store;
    await served.run(() =>
      whileUnavailable.run(() =>
        limitKey === undefined ? limits.setLimit(name, change) : limits.setKey(limitKey, change),
      ),
    );
    // There may be more room now.
    engine.wakeUps.isDue('admission');
  }

  /**
   * Lists keys of admissions with their numbers, the executions that have slots and the number of those that wait, by workflow
   * and key. A key is listed from the first start that asks for a slot of it.
   *
   * @throws InvalidArgumentError for an invalid option
   * @throws DatabaseUnavailableError as {@link set}
   * @example
   * ```ts
   * const { items } = await runner.limits.listAdmissions({ workflow: Sync, full: true });
   * for (const { key, inUse, concurrency, waiting } of items) console.log(key, inUse, concurrency, waiting);
   * ```
   */
  listAdmissions(filter: AdmissionFilter = {}): Promise<AdmissionPage> {
    const { turns, served, whileUnavailable, nameOf } = this.parts;
    const checked = checkAdmissionFilter(filter, nameOf);
    return served.run(() => whileUnavailable.run(() => turns.list(checked)));
  }
}
