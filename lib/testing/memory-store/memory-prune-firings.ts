import type { FiringPrune, PrunedFirings } from '../../store/port/index.js';
import type { MemoryFiring } from './memory-schedules.js';
import type { MemoryTables } from './memory-tables.js';

/** Prunes all schedules at once. */
export function pruneFirings(
  tables: MemoryTables,
  { olderThanMs, keep }: FiringPrune,
): PrunedFirings {
  let deleted = 0;
  const before = tables.now() - olderThanMs;
  const isOld = ({ outcome, firedAt }: MemoryFiring): boolean =>
    outcome === 'pruned' || firedAt < before;
  for (const { name, nextFor } of tables.schedules.values()) {
    const all = tables.firings
      .filter(({ schedule }) => schedule === name)
      .sort((a, b) => a.scheduledFor - b.scheduledFor);
    const mayGo = all
      .slice(0, Math.max(0, all.length - keep))
      .filter(({ scheduledFor }) => scheduledFor < (nextFor ?? Infinity));
    const firstKept = mayGo.findIndex((one) => !isOld(one));
    const old = firstKept === -1 ? mayGo : mayGo.slice(0, firstKept);
    const [first, ...others] = old;
    if (first === undefined || others.length === 0) continue;
    const range: MemoryFiring = {
      ...first,
      outcome: 'pruned',
      executionId: null,
      dueAt: null,
      until: Math.max(...old.map(({ until, scheduledFor }) => until ?? scheduledFor)),
      count: old.reduce((sum, { count }) => sum + count, 0),
    };
    const gone = new Set(old);
    tables.firings = [...tables.firings.filter((one) => !gone.has(one)), range];
    deleted += others.length;
  }
  return { deleted, next: null, isDone: true };
}
