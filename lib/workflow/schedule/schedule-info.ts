/**
 * The key of the input in which an execution of a schedule has its firing. The input is stored with the execution anyway, so
 * tasks of other executions pay nothing for it.
 */
export const SCHEDULE_KEY = '$schedule';

/** The firing that started an execution. */
export interface ScheduleInfo {
  /** The schedule's name. */
  readonly name: string;
  /** The instant that the execution was started for. It may be long ago: compute for this instant, not for now. */
  readonly scheduledAt: Date;
  /** The instant that the schedule fired for before; null in the first firing. */
  readonly previousAt: Date | null;
}

/** Reads the value of the key. */
export function scheduleInfoOf(value: unknown): ScheduleInfo | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { name, scheduledAt, previousAt } = value as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || typeof scheduledAt !== 'string') return undefined;
  return {
    name,
    scheduledAt: new Date(scheduledAt),
    previousAt: typeof previousAt === 'string' ? new Date(previousAt) : null,
  };
}
