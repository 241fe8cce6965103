import type { CheckedNumbers } from '../../workflow/limit.js';

/** How many may begin now, and the time of the first token that is not taken (GCRA). Any number without a rate. */
export function tokensOf(
  now: number,
  slot: { nextTokenAt: number | null },
  rate: CheckedNumbers['rate'],
): { readonly tokens: number; readonly first: number; readonly everyMs: number } {
  if (rate === undefined) return { tokens: Infinity, first: 0, everyMs: 0 };
  const everyMs = Math.ceil((rate.perMs * 1_000) / rate.limit) / 1_000;
  const { nextTokenAt } = slot;
  // A later time is that of a slower rate, or of a clock that has been put back.
  if (nextTokenAt !== null) slot.nextTokenAt = Math.min(nextTokenAt, now + everyMs);
  const first = Math.max(slot.nextTokenAt ?? -Infinity, now - (rate.burst - 1) * everyMs);
  const tokens = first > now ? 0 : Math.min(rate.burst, Math.floor((now - first) / everyMs) + 1);
  return { tokens, first, everyMs };
}
