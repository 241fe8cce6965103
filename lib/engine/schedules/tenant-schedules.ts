import type { Clock } from '../../runtime/clock.js';
import type { ScheduleStore } from '../../store/port/index.js';
import type { ProcessServices } from '../process-services.js';
import type { CatchUp, Overlap } from '../../workflow/schedule/index.js';
import type {
  BackfilledPart,
  BackfillPosition,
  BackfillRange,
  BackfillRunner,
} from './backfill-runner.js';
import { ManualFiring, type ManualFiringParts } from './manual-firing.js';
import type { ScheduleFirer } from './schedule-firer.js';
import type { ScheduleReconciler } from './schedule-reconciler.js';
import type { ScheduleResumer } from './schedule-resumer.js';

export interface TenantSchedulesParts {
  readonly clock: Clock;
  /** Names the tenant in wake-ups and notifications. */
  readonly address: string;
  readonly store: { readonly schedules: Pick<ScheduleStore, 'noted'> };
  readonly services: Pick<ProcessServices, 'notifySchedules' | 'schedule' | 'schedulePayload'>;
  readonly firer: Pick<ScheduleFirer, 'look'>;
  readonly manual: ManualFiringParts;
  readonly reconciler: Pick<ScheduleReconciler, 'declared' | 'restore'>;
  readonly resumer: Pick<ScheduleResumer, 'attempt'>;
  readonly backfills: Pick<BackfillRunner, 'part'>;
}

/** One tenant's schedules in this process: fires them, sets their timers, and tells the other processes of changes. */
export class TenantSchedules {
  constructor(private readonly parts: TenantSchedulesParts) {}

  /** Fires due schedules. Resolves when this process can fire no other. */
  fireDue(): Promise<void> {
    return this.parts.firer.look();
  }

  /**
   * An execution of a schedule that starts now, with this id.
   *
   * @param overlap - default: that of the schedule if its executions take turns, or else `allow`
   */
  manualFiring(name: string, id: string, overlap?: Overlap): ManualFiring {
    return new ManualFiring(this.parts.manual, { name, id, overlap });
  }

  /**
   * Resumes a schedule by the firings that a policy chooses from those of the pause. Returns false if others came before it:
   * see {@link ScheduleResumer.attempt}.
   *
   * @throws UnknownScheduleError if no schedule has the name
   */
  async resume(name: string, catchUp: CatchUp): Promise<boolean> {
    const resumed = await this.parts.resumer.attempt(name, catchUp);
    if (resumed !== undefined) this.changed(resumed.nextAt, true);
    return resumed !== undefined;
  }

  /** See {@link BackfillRunner.part}. */
  backfill(
    range: BackfillRange,
    position: BackfillPosition,
    limit: number,
  ): Promise<BackfilledPart | null | undefined> {
    return this.parts.backfills.part(range, position, limit);
  }

  /** Call when the process has proved that it lives: looks at the schedules, if the code declares some. */
  live(): void {
    // Of other tenants, the sweep finds the schedules.
    if (this.parts.reconciler.declared.length > 0) this.changedElsewhere();
  }

  /** Writes the code's schedules again that the database has lost. */
  async restoreLost(): Promise<void> {
    await this.parts.reconciler.restore();
    this.live();
  }

  /** Call when another process has changed a schedule. */
  changedElsewhere(): void {
    this.parts.store.schedules.noted();
    this.lookIn(0);
  }

  /** The payload that tells the other processes of a changed schedule. */
  get payload(): string {
    const { address, services } = this.parts;
    return services.schedulePayload(address);
  }

  /**
   * Call when this process has changed a schedule: sets a timer here, and tells the other processes.
   *
   * @param isCommitted - false if the change is part of a transaction, whose commit tells them
   */
  changed(nextAt: number | null, isCommitted: boolean): void {
    const { address, clock, services } = this.parts;
    if (nextAt !== null) this.lookIn(nextAt - clock.wallTime());
    if (isCommitted) services.notifySchedules(address);
  }

  private lookIn(inMs: number): void {
    const { address, services } = this.parts;
    services.schedule({ kind: 'schedule', tenant: address, inMs });
  }
}
