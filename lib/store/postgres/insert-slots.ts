import type { TenantDatabase } from './tenant-database.js';
import { insertLimitKeys } from './statements/limit-keys.js';

/** Inserts the rows of slots that this process has not seen. Keys that are undefined are left out. */
export async function insertSlots(
  { hot, tables }: Pick<TenantDatabase, 'hot' | 'tables'>,
  keys: readonly (string | undefined)[],
): Promise<void> {
  const wanted = new Set(keys.filter((key) => key !== undefined));
  if (wanted.size === 0) return;
  const unknown = tables.limits.unknown([...wanted]);
  if (unknown.length === 0) return;
  await hot.run(insertLimitKeys, [JSON.stringify(unknown)]);
  tables.limits.exist(unknown);
}
