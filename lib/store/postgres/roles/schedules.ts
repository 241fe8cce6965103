import { assertDefined } from '../../../workflow/assert-defined.js';
import { PostgresRole } from './postgres-role.js';
import { plainArray } from '../statements/encoding.js';
import { noteValues } from '../statements/actions.js';
import { backfillSchedule, backfillValues } from '../statements/backfill-schedule.js';
import { fireReplyOf, fireSchedules, fireValues, timeText } from '../statements/fire-schedules.js';
import { pruneFirings, prunedFiringsOf, pruneFiringsValues } from '../statements/prune-firings.js';
import {
  firingsValues,
  readFirings,
  readFiringsBetween,
  readScheduleStats,
  statsValues,
} from '../statements/schedule-reports.js';
import {
  breakUnknownSchedules,
  changeSchedule,
  createSchedule,
  deleteFirings,
  deleteSchedule,
  listSchedules,
  listValues,
  mendSchedules,
  passedValues,
  readDueSchedules,
  readSchedule,
  readScheduleTime,
  scheduleValues,
} from '../statements/schedules.js';
import type { Statement, StatementRunner } from '../statements/statement.js';
import { CHANNEL, notify } from '../statements/wake-ups.js';
import type {
  ActionNote,
  Backfill,
  DueSchedule,
  FireReply,
  FiringPrune,
  FiringQuery,
  FiringRecord,
  MendedSchedules,
  NewFiring,
  PrunedFirings,
  ScheduleColumns,
  ScheduleError,
  ScheduleFire,
  ScheduleQuery,
  ScheduleRecord,
  ScheduleStatsRow,
  ScheduleStore,
  ScheduleTransaction,
  StatsQuery,
} from '../../port/index.js';

/** Schedules on PostgreSQL. It only forwards; the statements are documented next to their texts. */
export class PostgresScheduleStore extends PostgresRole implements ScheduleStore {
  noted(): void {
    this.db.tables.schedules.noted();
  }

  async now(): Promise<number> {
    const [row] = await this.db.hot.run(readScheduleTime, []);
    return assertDefined(row).now;
  }

  due(
    workflows: readonly string[],
    limit: number,
    except: readonly string[] = [],
  ): Promise<DueSchedule[]> {
    const values = [JSON.stringify(workflows), limit, JSON.stringify(except)];
    return this.db.hot.run(readDueSchedules, values);
  }

  async fire(schedules: readonly ScheduleFire[]): Promise<FireReply> {
    const rows = await this.db.hot.run(fireSchedules, fireValues(schedules));
    return fireReplyOf(rows, schedules.length);
  }

  async get(name: string, transaction?: ScheduleTransaction): Promise<ScheduleRecord | undefined> {
    const [record] = await (await this.runner(transaction)).run(readSchedule, [name]);
    return record;
  }

  list(query: ScheduleQuery): Promise<ScheduleRecord[]> {
    return this.db.cold.run(listSchedules, listValues(query));
  }

  create(
    name: string,
    set: ScheduleColumns,
    transaction?: ScheduleTransaction,
    by?: ActionNote | null,
  ): Promise<boolean> {
    const createdAt = timeText(set.createdAt ?? null);
    const own = [...scheduleValues(name, set), createdAt];
    const values = [...own, ...noteValues(by), timeText(set.updatedAt ?? null)];
    return this.write(createSchedule, values, transaction);
  }

  change(
    name: string,
    version: number,
    set: ScheduleColumns,
    passed: NewFiring | null,
    transaction?: ScheduleTransaction,
    by?: ActionNote | null,
  ): Promise<boolean> {
    const own = [...scheduleValues(name, set), version, ...passedValues(passed)];
    const values = [...own, ...noteValues(by), timeText(set.updatedAt ?? null)];
    return this.write(changeSchedule, values, transaction);
  }

  async delete(
    name: string,
    transaction?: ScheduleTransaction,
    by?: ActionNote | null,
  ): Promise<boolean> {
    const isDeleted = await this.write(deleteSchedule, [name, ...noteValues(by)], transaction);
    await (await this.runner(transaction)).run(deleteFirings, [name]);
    return isDeleted;
  }

  firings(query: FiringQuery): Promise<FiringRecord[]> {
    return this.db.cold.run(readFirings, firingsValues(query));
  }

  firingsBetween(schedule: string, from: number, to: number): Promise<FiringRecord[]> {
    return this.db.cold.run(readFiringsBetween, [schedule, timeText(from), timeText(to)]);
  }

  async stats(query: StatsQuery): Promise<ScheduleStatsRow> {
    const [row] = await this.db.cold.run(readScheduleStats, statsValues(query));
    return assertDefined(row);
  }

  async backfill(backfill: Backfill): Promise<FireReply> {
    const rows = await this.db.hot.run(backfillSchedule, backfillValues(backfill));
    return fireReplyOf(rows, 1);
  }

  async prune(prune: FiringPrune): Promise<PrunedFirings> {
    const rows = await this.db.cold.run(pruneFirings, pruneFiringsValues(prune));
    return prunedFiringsOf(rows, prune);
  }

  async mend(
    workflows: readonly string[],
    names: readonly string[] | null = null,
  ): Promise<MendedSchedules> {
    const values = [JSON.stringify(workflows), names === null ? null : JSON.stringify(names)];
    const broken = await this.db.cold.run(mendSchedules, values);
    const locked = broken.filter(({ isMended }) => !isMended).map(({ name }) => name);
    return { mended: broken.length - locked.length, locked };
  }

  breakUnknown(
    workflows: readonly string[],
    overdueMs: number,
    error: ScheduleError,
  ): Promise<{ readonly name: string; readonly workflow: string }[]> {
    return this.db.cold.run(breakUnknownSchedules, [
      JSON.stringify(workflows),
      overdueMs,
      JSON.stringify(error),
    ]);
  }

  private async write(
    statement: Statement<{ name: string }>,
    values: readonly unknown[],
    transaction: ScheduleTransaction | undefined,
  ): Promise<boolean> {
    const runner = await this.runner(transaction);
    const isDone = (await runner.run(statement, values)).length === 1;
    if (isDone && transaction !== undefined)
      await runner.run(notify, [CHANNEL, plainArray([transaction.payload])]);
    return isDone;
  }

  /** A call may have changed a schedule, so the sweeps read them from now on. */
  private async runner(transaction: ScheduleTransaction | undefined): Promise<StatementRunner> {
    this.noted();
    return transaction === undefined ? this.db.hot : this.db.within(transaction.manager);
  }
}
