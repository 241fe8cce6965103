import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { ScheduleFire, ScheduleStore } from '../../store/port/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import { toStartItem } from '../starts/start-item.js';
import type { StartConsequences, StartRequest } from '../starts/starter.js';
import { planFire } from './plan-fire.js';
import type { ScheduledStarts } from './scheduled-starts.js';

/** Schedules of one statement. */
const MAX_SCHEDULES = 300;
/** First and longest pause before schedules are tried again whose rows were locked, in milliseconds. */
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 1_000;
/** Number of pauses after which they are left to the sweep. */
const MAX_TRIES = 10;
/**
 * How long a firing may be overdue before its workflow counts as gone, in milliseconds. A process that serves the workflow
 * fires within some seconds.
 */
const UNKNOWN_AFTER_MS = 120_000;
/** Minimum time between two looks for such schedules, in milliseconds. */
const UNKNOWN_LOOK_MS = 60_000;

export interface ScheduleFirerParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: {
    readonly schedules: Pick<ScheduleStore, 'breakUnknown' | 'due' | 'fire'>;
  };
  readonly catalog: Pick<DefinitionCatalog, 'names'>;
  readonly starts: Pick<ScheduledStarts, 'follow' | 'request'>;
  /** Whether this process takes part in the tenant's work. */
  readonly mayFire: () => boolean;
  /** Makes the schedules of the code those of the tenant; called before the first look. */
  readonly reconcile: () => Promise<void>;
  readonly consequences: Pick<StartConsequences, 'definitionsMissing'>;
}

/**
 * Fires the schedules of a tenant that are due. Any process may do it, and several may try it at the same time: the version
 * in the schedule's row lets one of them make each firing.
 *
 * States: idle, at work, or pausing because rows were locked. A look that is asked for while it works is made next.
 */
export class ScheduleFirer {
  private readonly logger = new Logger('Cloacina');
  private looks = false;
  private work: Promise<void> | undefined;
  private isReconciled = false;
  private lookedForUnknownAt = -Infinity;
  private readonly closing = new AbortController();

  constructor(private readonly parts: ScheduleFirerParts) {}

  /** Fires what is due. Resolves when nothing is left, or the rest is left to the sweep. Never rejects. */
  look(): Promise<void> {
    this.looks = true;
    // A drain waits for the look too, and must not fail with it.
    this.work ??= this.run()
      .catch((error: unknown) => this.failed(error))
      .finally(() => (this.work = undefined));
    return this.work;
  }

  get isBusy(): boolean {
    return this.work !== undefined;
  }

  async whenIdle(): Promise<void> {
    await this.work;
  }

  close(): void {
    this.closing.abort();
  }

  private async run(): Promise<void> {
    for (let tries = 0; this.looks && this.mayFire && tries <= MAX_TRIES;) {
      this.looks = false;
      const result = await this.fireDue();
      if (result === 'more' || result === 'locked') this.looks = true;
      if (result !== 'locked') tries = 0;
      else {
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** tries++, MAX_PAUSE_MS);
        await this.parts.clock.sleep(pauseMs, this.closing.signal);
      }
    }
    this.looks = false;
  }

  private get mayFire(): boolean {
    return this.parts.mayFire() && !this.closing.signal.aborted;
  }

  private async fireDue(): Promise<'done' | 'locked' | 'more'> {
    const { catalog, starts, store } = this.parts;
    const { names } = catalog;
    if (!this.isReconciled) await this.parts.reconcile();
    this.isReconciled = true;
    const due = await store.schedules.due(names, MAX_SCHEDULES);
    if (due.length === 0) {
      await this.breakUnknown(names);
      return 'done';
    }
    const requests = new Map<string, StartRequest>();
    const fires: ScheduleFire[] = [];
    // In the order of their names, in which all processes lock them.
    for (const schedule of due.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const fire = await planFire(schedule, async (of, firing) => {
        const request = await starts.request(of, firing);
        requests.set(request.id, request);
        return toStartItem(request, 0);
      });
      fires.push(fire);
    }
    const { fired, definitionsAreStored } = await store.schedules.fire(fires);
    if (!definitionsAreStored) this.parts.consequences.definitionsMissing();
    for (const [i, fire] of fires.entries()) if (fired[i] === true) this.follow(fire, requests);
    if (!fired.includes(true)) return 'locked';
    return due.length === MAX_SCHEDULES || fired.includes(false) ? 'more' : 'done';
  }

  private follow(fire: ScheduleFire, requests: ReadonlyMap<string, StartRequest>): void {
    const { starts, tenant } = this.parts;
    for (const { start } of fire.firings) {
      const request = start === null ? undefined : requests.get(start.id);
      if (request !== undefined) starts.follow(request);
    }
    if (fire.state !== 'broken' && fire.state !== 'paused') return;
    this.logger.warn(
      `Tenant "${tenant}": schedule "${fire.name}" is ${fire.state}: ${fire.reason ?? ''}`,
    );
  }

  /** Schedules of workflows that no process serves would stay due for ever, so they are marked and reported. */
  private async breakUnknown(names: readonly string[]): Promise<void> {
    const { clock, store, tenant } = this.parts;
    if (clock.now() - this.lookedForUnknownAt < UNKNOWN_LOOK_MS) return;
    this.lookedForUnknownAt = clock.now();
    const reason = 'No process that serves the tenant has its workflow.';
    const broken = await store.schedules.breakUnknown(names, UNKNOWN_AFTER_MS, reason);
    for (const { name, workflow } of broken) {
      this.logger.warn(
        `Tenant "${tenant}": schedule "${name}" is broken: no process that serves the tenant has workflow "${workflow}".`,
      );
    }
  }

  /** Reports a look that failed. The sweep makes another one. */
  private failed(error: unknown): void {
    this.logger.warn(
      `Tenant "${this.parts.tenant}": due schedules could not be fired, and will be retried: ${toStoredError(error).message}`,
    );
  }
}
