import type { NewFiring, ScheduleColumns, ScheduleRecord } from '../../store/port/index.js';
import { countInstants, lastInstant } from '../../workflow/schedule/index.js';
import { columnsOf, nextFiring, planOf, specOf } from './schedule-columns.js';

/** The columns of a schedule that is resumed, and its firings in the pause, which are passed over. */
export function resumed(
  known: ScheduleRecord,
  now: number,
): { readonly set: ScheduleColumns; readonly passed: NewFiring | null } {
  const { nextFor, state } = known;
  const kept = columnsOf(known);
  if (state !== 'paused' && state !== 'broken') return { set: kept, passed: null };
  const active = { ...kept, reason: null, lastError: null };
  if (nextFor === null) return { set: { ...active, state: 'ended' }, passed: null };
  if (nextFor > now) return { set: { ...active, state: 'active' }, passed: null };
  const plan = planOf(specOf(kept), known.createdAt);
  const next = nextFiring(plan, known.name, now);
  const last = lastInstant(plan, nextFor, now) ?? nextFor;
  const passed = {
    scheduledFor: nextFor,
    outcome: state === 'paused' ? 'paused' : 'missed',
    dueAt: null,
    until: last === nextFor ? null : last,
    count: countInstants(plan, nextFor, last),
    start: null,
  } as const;
  return { set: { ...active, ...next, state: next.nextFor === null ? 'ended' : 'active' }, passed };
}
