import { MemoryRole } from './memory-role.js';
import {
  breakUnknown,
  changeSchedule,
  createSchedule,
  deleteSchedule,
  dueSchedules,
  fire,
  listSchedules,
  mend,
} from '../memory-schedules.js';
import { backfill, firingsBetween, firingsOf, statsOf } from '../memory-schedule-reports.js';
import { pruneFirings } from '../memory-prune-firings.js';
import { asTransaction } from '../memory-transaction.js';
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
} from '../../../store/port/index.js';

/** Schedules in memory. A change in a transaction is written at its commit, if the schedule is as it was then. */
export class MemoryScheduleStore extends MemoryRole implements ScheduleStore {
  noted(): void {
    // The sweeps of memory read everything.
  }

  now(): Promise<number> {
    return this.run((tables) => tables.now());
  }

  due(
    workflows: readonly string[],
    limit: number,
    except: readonly string[] = [],
  ): Promise<DueSchedule[]> {
    return this.run((tables) => dueSchedules(tables, workflows, limit, except));
  }

  fire(schedules: readonly ScheduleFire[]): Promise<FireReply> {
    return this.run((tables) => fire(tables, schedules));
  }

  get(name: string): Promise<ScheduleRecord | undefined> {
    return this.run(({ schedules }) => {
      const row = schedules.get(name);
      return row === undefined ? undefined : { ...row };
    });
  }

  list(query: ScheduleQuery): Promise<ScheduleRecord[]> {
    return this.run((tables) => listSchedules(tables, query));
  }

  create(
    name: string,
    set: ScheduleColumns,
    transaction?: ScheduleTransaction,
    by?: ActionNote | null,
  ): Promise<boolean> {
    return this.run((tables) =>
      this.write(transaction, !tables.schedules.has(name), () => {
        const isDone = createSchedule(tables, name, set);
        if (isDone) tables.noteAction(name, by);
        return isDone;
      }),
    );
  }

  change(
    name: string,
    version: number,
    set: ScheduleColumns,
    passed: NewFiring | null,
    transaction?: ScheduleTransaction,
    by?: ActionNote | null,
  ): Promise<boolean> {
    return this.run((tables) =>
      this.write(transaction, tables.schedules.get(name)?.version === version, () => {
        const isDone = changeSchedule(tables, name, version, set, passed);
        if (isDone) tables.noteAction(name, by);
        return isDone;
      }),
    );
  }

  delete(
    name: string,
    transaction?: ScheduleTransaction,
    by?: ActionNote | null,
  ): Promise<boolean> {
    return this.run((tables) =>
      this.write(transaction, tables.schedules.has(name), () => {
        const isDone = deleteSchedule(tables, name);
        if (isDone) tables.noteAction(name, by);
        return isDone;
      }),
    );
  }

  firings(query: FiringQuery): Promise<FiringRecord[]> {
    return this.run((tables) => firingsOf(tables, query));
  }

  firingsBetween(schedule: string, from: number, to: number): Promise<FiringRecord[]> {
    return this.run((tables) => firingsBetween(tables, schedule, from, to));
  }

  stats(query: StatsQuery): Promise<ScheduleStatsRow> {
    return this.run((tables) => statsOf(tables, query));
  }

  backfill(work: Backfill): Promise<FireReply> {
    return this.run((tables) => backfill(tables, work));
  }

  prune(prune: FiringPrune): Promise<PrunedFirings> {
    return this.run((tables) => pruneFirings(tables, prune));
  }

  mend(
    workflows: readonly string[],
    names: readonly string[] | null = null,
  ): Promise<MendedSchedules> {
    return this.run((tables) => mend(tables, workflows, names));
  }

  breakUnknown(
    workflows: readonly string[],
    overdueMs: number,
    error: ScheduleError,
  ): Promise<{ readonly name: string; readonly workflow: string }[]> {
    return this.run((tables) => breakUnknown(tables, workflows, overdueMs, error));
  }

  private write(
    transaction: ScheduleTransaction | undefined,
    isPossible: boolean,
    work: () => boolean,
  ): boolean {
    if (transaction === undefined) return work();
    const { manager, payload } = transaction;
    if (isPossible) {
      asTransaction(manager).onCommit(() => {
        work();
        this.tables.notify([payload]);
      });
    }
    return isPossible;
  }
}
