import type { EntityManager } from 'typeorm';
import type { DeclaredPoller } from '../../discovery/poller-explorer.js';
import type { TaskContext } from '../../discovery/task-context.js';
import type { TenantEngine } from '../../engine/tenant-engine.js';
import { currentTask } from '../../engine/execution/current-task.js';
import { InvalidArgumentError, NotAllowedError, UnknownPollerError } from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import type { ScheduleRecord } from '../../store/port/index.js';
import { pollerWorkflowName } from '../../workflow/index.js';
import { checkName } from '../schedule-request.js';
import type { ServedCalls } from '../served-calls.js';
import { checkManager } from '../start-request.js';
import { encodeCursor } from './poll-result.js';
import { cursorName, type Polls, type PollSummary } from './polls.js';
import { isPollerSchedule, viewPoller, type TenantPoller } from './tenant-poller.js';

/** Schedules of one statement. */
const PAGE = 500;

/** Options of {@link CloacinaPollers.setCursor}. */
export interface SetCursorOptions {
  /** The manager of an open transaction of the caller, in which the cursor is set. Default: none. */
  readonly manager?: EntityManager;
}

const SET_OPTIONS: ReadonlySet<string> = new Set<keyof SetCursorOptions>(['manager']);

export interface PollersParts {
  readonly tenant: string;
  readonly engine: Pick<TenantEngine, 'catalog' | 'store'>;
  readonly polls: Polls;
  readonly served: Pick<ServedCalls, 'run'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/**
 * The pollers of one tenant, at `runner.pollers`: shows them, and sets their cursors. `runner.schedules` pauses, resumes and
 * runs them, by the same names.
 *
 * @example
 * ```ts
 * await runner.schedules.pause('inbox', { reason: 'the partner moves its server' });
 * await runner.pollers.setCursor('inbox', '2026-01-31/0001.csv');
 * await runner.schedules.resume('inbox');
 * ```
 */
export class CloacinaPollers {
  /** @internal Applications use `runner.pollers`. */
  constructor(private readonly parts: PollersParts) {}

  /**
   * Reads the pollers of the tenant in the order of their names, also those that the code has lost: they are paused or
   * broken, and keep their cursors. A new poller is listed a moment after the boot of the first process that has it.
   *
   * @throws DatabaseUnavailableError if the database was unreachable for `startTimeout`
   */
  list(): Promise<TenantPoller[]> {
    const { served, whileUnavailable } = this.parts;
    return served.run(() => whileUnavailable.run(async () => this.view(await this.schedules())));
  }

  /**
   * Reads a poller. Returns null if no poller has this name.
   *
   * @throws DatabaseUnavailableError as {@link list}
   */
  get(name: string): Promise<TenantPoller | null> {
    const { served, whileUnavailable } = this.parts;
    return served.run(() =>
      whileUnavailable.run(async () => {
        const schedule = await this.store.schedules.get(name);
        if (schedule === undefined || !isPollerSchedule(schedule)) return null;
        const [poller] = await this.view([schedule]);
        return poller ?? null;
      }),
    );
  }

  /**
   * Sets the cursor that the next poll gets. A poll that runs now is rolled back when it returns another cursor, and begins
   * again with this one.
   *
   * @param cursor - any JSON of at most 1 MB; undefined removes the cursor
   * @param options.manager - stores it in the caller's transaction
   * @throws UnknownPollerError if neither the code nor the tenant has a poller of this name
   * @throws InvalidArgumentError for a cursor that JSON can't carry
   * @throws NotAllowedError in the method of this poller: the poll would begin again without end. Return the cursor instead
   */
  setCursor(name: string, cursor: unknown, options: SetCursorOptions = {}): Promise<void> {
    const { served, whileUnavailable } = this.parts;
    return served.run(async () => {
      checkCallOptions('setCursor()', options, SET_OPTIONS);
      checkName(name);
      this.refuseInOwnPoll(name);
      const json = jsonOf(cursor);
      const transaction = checkManager(options.manager);
      await whileUnavailable.run(() => this.assertKnown(name));
      const set = (): Promise<void> => this.store.states.set(cursorName(name), json, transaction);
      // In a transaction nothing is retried: a failed statement has ended it.
      return transaction === undefined ? whileUnavailable.run(set) : set();
    });
  }

  /** @internal Runs a poll, for the workflow of the poller. */
  poll(poller: DeclaredPoller, context: TaskContext): Promise<PollSummary> {
    return this.parts.polls.run(poller, context);
  }

  private get store(): Pick<TenantEngine['store'], 'schedules' | 'states'> {
    return this.parts.engine.store;
  }

  /** Its poll would be rolled back, because its cursor has changed, and begin again, without end. */
  private refuseInOwnPoll(name: string): void {
    const task = currentTask();
    if (task?.tenant !== this.parts.tenant || task.workflow !== pollerWorkflowName(name)) return;
    throw new NotAllowedError(
      `setCursor() in the method of poller ${JSON.stringify(name)}`,
      'the poll would be rolled back because its cursor has changed, and begin again without end',
      'Return { cursor } from the method.',
    );
  }

  private async assertKnown(name: string): Promise<void> {
    const { engine, tenant } = this.parts;
    if (engine.catalog.currentOf(pollerWorkflowName(name)) !== undefined) return;
    const schedule = await this.store.schedules.get(name);
    if (schedule === undefined || !isPollerSchedule(schedule)) {
      throw new UnknownPollerError(name, tenant);
    }
  }

  /** The schedules of pollers. Those that callers make, which may be many, have another origin. */
  private async schedules(): Promise<ScheduleRecord[]> {
    const found: ScheduleRecord[] = [];
    for (let after: string | null = null; ;) {
      const page: ScheduleRecord[] = await this.store.schedules.list({
        workflow: null,
        state: null,
        origin: 'code',
        after,
        limit: PAGE,
      });
      found.push(...page.filter(isPollerSchedule));
      after = page.at(-1)?.name ?? null;
      if (page.length < PAGE) return found;
    }
  }

  private async view(schedules: readonly ScheduleRecord[]): Promise<TenantPoller[]> {
    if (schedules.length === 0) return [];
    const states = await this.store.states.read(schedules.map(({ name }) => cursorName(name)));
    const byName = new Map(states.map((state) => [state.name, state]));
    return schedules.map((schedule) => viewPoller(schedule, byName.get(cursorName(schedule.name))));
  }
}

function jsonOf(cursor: unknown): string | null {
  if (cursor === undefined) return null;
  const encoded = encodeCursor(cursor);
  if ('json' in encoded) return encoded.json;
  throw new InvalidArgumentError(encoded.path, encoded.problem);
}
