import { Logger } from '@nestjs/common';
import { toPlainText, toStoredError } from '../../errors/index.js';
import type { CloacinaTelemetry } from '../../events/telemetry.js';
import { detached } from '../../runtime/untraced.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { DueSchedule, ScheduleFire, ScheduleStore } from '../../store/port/index.js';
import type { ChildRunner } from '../children/child-runner.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import { toStartItem } from '../starts/start-item.js';
import type { StartRequest } from '../starts/start-request.js';
import { firingRequest } from './firing-request.js';
import { planFire } from './plan-fire.js';
import type { StartedFirings } from './started-firings.js';

/** Schedules of one statement. */
const MAX_SCHEDULES = 300;
/** Executions after which a statement takes no further schedule: one that catches up starts up to 1,000. */
const MAX_STARTS = 1_000;
/** First and longest pause before schedules are tried again that could not fire for now, in milliseconds. */
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
  readonly store: FailureClassifier & {
    readonly schedules: Pick<ScheduleStore, 'breakUnknown' | 'due' | 'fire' | 'now'>;
  };
  readonly catalog: Pick<DefinitionCatalog, 'names'>;
  readonly runner: () => Pick<ChildRunner, 'prepareStart'>;
  /** Whether this process takes part in the tenant's work. */
  readonly mayFire: () => boolean;
  /** Makes the schedules of the code those of the tenant; called before the first look. */
  readonly reconcile: () => Promise<void>;
  /** Mends broken schedules that were locked before. */
  readonly mendLeft: () => Promise<void>;
  readonly started: StartedFirings;
  readonly telemetry?: Pick<CloacinaTelemetry, 'fired'> | undefined;
}

/**
 * Fires the schedules of a tenant that are due. Any process may do it, and several may try it at the same time: the version
 * in the schedule's row lets one of them make each firing.
 *
 * States: idle, at work, or pausing because nothing could fire: rows were locked, or no execution could be prepared. A look that is asked for while it works is made next.
 */
export class ScheduleFirer {
  private readonly logger = new Logger('Cloacina');
  private looks = false;
  private work: Promise<void> | undefined;
  private isReconciled = false;
  private lookedForUnknownAt = -Infinity;
  /** The due schedules that the present pass could not fire. Its next page leaves them out, so they hide no others. */
  private readonly passed = new Set<string>();
  /** Whether the present pass has fired a schedule. */
  private hasFired = false;
  /** The schedules of the present work whose failure is reported. */
  private readonly reported = new Set<string>();
  private readonly closing = new AbortController();

  constructor(private readonly parts: ScheduleFirerParts) {}

  /** Fires due schedules. Resolves when none is due, or the rest is left to the sweep. Never rejects. */
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
    this.reported.clear();
    this.beginPass();
    for (let tries = 0; this.looks && this.mayFire && tries <= MAX_TRIES;) {
      this.looks = false;
      const result = await this.fireDue();
      if (result === 'more' || result === 'blocked') this.looks = true;
      if (result !== 'blocked') tries = 0;
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

  /** Makes the schedules of the code those of the tenant, once; returns whether it had to be done. */
  async reconcileFirst(): Promise<boolean> {
    if (this.isReconciled) return false;
    await this.parts.reconcile();
    this.isReconciled = true;
    return true;
  }

  private beginPass(): void {
    this.passed.clear();
    this.hasFired = false;
  }

  /** What follows a pass through all due schedules. */
  private endPass(): 'blocked' | 'done' | 'more' {
    const { hasFired, passed } = this;
    const result = passed.size === 0 ? 'done' : hasFired ? 'more' : 'blocked';
    this.beginPass();
    return result;
  }

  /** Fires a page of the schedules that are due. `blocked`: a whole pass could fire none of them. */
  private async fireDue(): Promise<'blocked' | 'done' | 'more'> {
    const { catalog, store } = this.parts;
    const { names } = catalog;
    if (!(await this.reconcileFirst())) await this.parts.mendLeft();
    const due = await store.schedules.due(names, MAX_SCHEDULES, [...this.passed]);
    if (due.length === 0) {
      await this.breakUnknown(names);
      return this.endPass();
    }
    const requests = new Map<string, StartRequest>();
    const fires: ScheduleFire[] = [];
    let isAll = due.length < MAX_SCHEDULES;
    // The longest overdue first; then in the order of their names, in which all processes lock them.
    for (const schedule of due) {
      const fire = await this.plan(schedule, requests);
      if (fire === undefined) this.passed.add(schedule.name);
      else fires.push(fire);
      if (requests.size < MAX_STARTS) continue;
      isAll = false;
      break;
    }
    if (fires.length > 0) {
      const now = new Map(due.map((schedule) => [schedule.name, schedule.now]));
      await this.fireIfStorable(fires, requests, now);
    }
    return isAll ? this.endPass() : 'more';
  }

  /**
   * Fires schedules. If one can't be stored, because the encoding of the database lacks some characters, each is fired alone, and
   * that one with its reason in ASCII: it must not keep the others from firing.
   */
  private async fireIfStorable(
    fires: ScheduleFire[],
    requests: ReadonlyMap<string, StartRequest>,
    now: ReadonlyMap<string, number>,
  ): Promise<void> {
    const { store } = this.parts;
    const isUnstorable = (error: unknown): boolean => store.classifyFailure(error).kind === 'data';
    try {
      return await this.fire(fires, requests, now);
    } catch (error) {
      if (!isUnstorable(error)) throw error;
    }
    for (const fire of fires) {
      try {
        await this.fire([inAscii(fire)], requests, now);
      } catch (error) {
        if (!isUnstorable(error)) throw error;
        this.passed.add(fire.name);
        this.failedOnce(fire.name, error);
      }
    }
  }

  /** @param now - the database's time when each schedule was read */
  private async fire(
    fires: ScheduleFire[],
    requests: ReadonlyMap<string, StartRequest>,
    now: ReadonlyMap<string, number>,
  ): Promise<void> {
    fires.sort((a, b) => (a.name < b.name ? -1 : 1));
    const reply = await this.parts.store.schedules.fire(fires);
    this.parts.started.follow(fires, reply, requests);
    for (const [i, fire] of fires.entries()) {
      if (reply.fired[i] === true) {
        this.hasFired = true;
        this.measure(fire, now.get(fire.name), requests);
      } else this.passed.add(fire.name);
    }
  }

  /** Measures how late firings were. Those that catch up are late because they were missed. */
  private measure(
    { firings }: ScheduleFire,
    now: number | undefined,
    requests: ReadonlyMap<string, StartRequest>,
  ): void {
    const { telemetry, tenant } = this.parts;
    if (telemetry === undefined || now === undefined) return;
    for (const { outcome, dueAt, start } of firings) {
      const request = start === null ? undefined : requests.get(start.id);
      if (outcome !== 'started' || dueAt === null || request === undefined) continue;
      telemetry.fired(tenant, request.definition.workflow.name, Math.max(0, now - dueAt));
    }
  }

  /** A schedule whose firing can't be prepared for now stays due; the others fire. */
  private async plan(
    schedule: DueSchedule,
    requests: Map<string, StartRequest>,
  ): Promise<ScheduleFire | undefined> {
    try {
      return await planFire(schedule, async (of, firing) => {
        const request = await detached(() => firingRequest(this.parts.runner(), of, firing));
        requests.set(request.id, request);
        return toStartItem(request, 0);
      });
    } catch (error) {
      this.failedOnce(schedule.name, error);
      return undefined;
    }
  }

  private failedOnce(name: string, error: unknown): void {
    if (!this.reported.has(name)) this.failed(error, `schedule "${name}"`);
    this.reported.add(name);
  }

  /** Schedules of workflows that no process serves would stay due forever, so they are marked and reported. */
  private async breakUnknown(names: readonly string[]): Promise<void> {
    const { clock, store, tenant } = this.parts;
    if (clock.now() - this.lookedForUnknownAt < UNKNOWN_LOOK_MS) return;
    this.lookedForUnknownAt = clock.now();
    const error = {
      kind: 'unknownWorkflow',
      message: 'No process that serves the tenant has its workflow.',
      at: await store.schedules.now(),
    } as const;
    const broken = await store.schedules.breakUnknown(names, UNKNOWN_AFTER_MS, error);
    for (const { name, workflow } of broken) {
      this.logger.warn(
        `Tenant "${tenant}": schedule "${name}" is broken: no process that serves the tenant has workflow "${workflow}".`,
      );
    }
  }

  /** Reports a look that failed, or a schedule of it. The sweep makes another look. */
  private failed(error: unknown, what = 'due schedules'): void {
    this.logger.warn(
      `Tenant "${this.parts.tenant}": ${what} could not be fired, and will be retried: ${toStoredError(error).message}`,
    );
  }
}

/** The firing with its texts in ASCII, so that only its executions can be refused. */
function inAscii(fire: ScheduleFire): ScheduleFire {
  const { reason, lastError } = fire;
  return {
    ...fire,
    reason: reason === null ? null : toPlainText(reason),
    lastError:
      lastError === null ? null : { ...lastError, message: toPlainText(lastError.message) },
  };
}
