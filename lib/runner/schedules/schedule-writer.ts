import type { EntityManager } from 'typeorm';
import { UnknownScheduleError } from '../../errors/index.js';
import type {
  ActionKind,
  ActionNote,
  NewFiring,
  ScheduleColumns,
  ScheduleRecord,
  ScheduleStore,
  ScheduleTransaction,
} from '../../store/port/index.js';
import { noteOf } from '../action-note.js';
import { viewSchedule, type TenantSchedule } from '../schedule.js';
import { scheduleSubject } from '../schedule-request.js';
import { checkManager } from '../start-request.js';
import type { SchedulesParts } from './schedule-reports.js';

/** The new columns of a schedule, the firings that the change passes over, and who makes it. */
export interface ScheduleWrite {
  readonly set: ScheduleColumns;
  readonly passed: NewFiring | null;
  readonly by: ActionNote | null;
}

/** Writes schedules, for a caller, and the actions of people on them. */
export class ScheduleWriter {
  constructor(private readonly parts: SchedulesParts) {}

  /**
   * Records an action before it is done: a call that fails may have started executions.
   *
   * @throws UnknownScheduleError, so that an action is never that on a schedule that does not exist
   */
  async record(
    subject: string,
    kind: ActionKind,
    actor: string | null,
    executionId: string | null = null,
  ): Promise<void> {
    const by = noteOf(actor)(kind);
    if (by === null) return;
    const { engine, whileUnavailable } = this.parts;
    await whileUnavailable.run(async () => {
      this.found(subject, await this.store.get(subject));
      await engine.store.actions.record({ ...by, subject, executionId });
    });
  }

  /** The other processes are notified of a change at the commit of its transaction. */
  within(manager: EntityManager | undefined): ScheduleTransaction | undefined {
    const open = checkManager(manager);
    return open === undefined
      ? undefined
      : { manager: open, payload: this.parts.engine.schedules.payload };
  }

  found(name: string, known: ScheduleRecord | undefined): ScheduleRecord {
    if (known !== undefined) return known;
    throw new UnknownScheduleError(name, this.parts.tenant);
  }

  /**
   * Reads, decides and writes until no firing and no other change has come between.
   *
   * @throws DatabaseUnavailableError if others changed the schedule all the time, for `startTimeout`
   */
  async put(
    name: string,
    transaction: ScheduleTransaction | undefined,
    decide: (
      known: ScheduleRecord | undefined,
      now: number,
    ) => ScheduleWrite | Promise<ScheduleWrite>,
  ): Promise<TenantSchedule> {
    const { engine, tenant, whileUnavailable } = this.parts;
    const attempt = async (): Promise<boolean> => {
      const known = await this.store.get(name, transaction);
      const { set, passed, by } = await decide(known, await this.store.now());
      return known === undefined
        ? this.store.create(name, set, transaction, by)
        : this.store.change(name, known.version, set, passed, transaction, by);
    };
    // In a transaction nothing is retried: a failed statement has ended it.
    await whileUnavailable.untilWritten(scheduleSubject(name), (began) =>
      transaction === undefined ? whileUnavailable.run(attempt, began) : attempt(),
    );
    const record = await this.store.get(name, transaction);
    if (record === undefined) throw new UnknownScheduleError(name, tenant);
    engine.schedules.changed(record.nextAt, transaction === undefined);
    return viewSchedule(record);
  }

  private get store(): ScheduleStore {
    return this.parts.engine.store.schedules;
  }
}
