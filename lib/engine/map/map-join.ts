import { ItemsFailedError } from '../../errors/index.js';
import type { StoredError } from '../../errors/index.js';
import {
  RESULTS_PAGE,
  type ItemStore,
  type MapKey,
  type MapState,
} from '../../store/port/index.js';
import { failsMap, type MapNode } from '../../workflow/index.js';

/** Throws if more items failed than the map allows. */
export function checkItems(name: string, node: MapNode, state: MapState): void {
  const { stored: total, counts, firstFailure } = state;
  if (!failsMap(node.onItemFailure, counts.failed, total)) return;
  const first =
    firstFailure === null
      ? undefined
      : { index: firstFailure.itemNo - 1, error: parseError(firstFailure.error) };
  throw new ItemsFailedError(name, { ...counts, total, first });
}

function parseError(json: string | null): StoredError | undefined {
  return json === null ? undefined : (JSON.parse(json) as StoredError);
}

/** What a map stores in the context, as JSON text. */
export function summaryJson({ stored: total, counts }: MapState): string {
  return JSON.stringify({ total, ...counts });
}

/**
 * The values of all items as the JSON text of an array, null for an item without one. Reads no more than `maxBytes` and a
 * page; undefined if the values are larger.
 */
export async function collectJson(
  store: Pick<ItemStore, 'results'>,
  map: MapKey,
  maxBytes: number,
): Promise<string | { readonly largerThan: number }> {
  const values: string[] = [];
  let bytes = 2;
  for (let after = 0; ;) {
    const page = await store.results(map, { after, limit: RESULTS_PAGE });
    const last = page.at(-1);
    if (last === undefined) return `[${values.join(',')}]`;
    after = last.itemNo;
    for (const { status, output } of page) {
      const value = status === 'Completed' ? (output ?? 'null') : 'null';
      values.push(value);
      bytes += Buffer.byteLength(value) + 1;
    }
    if (bytes > maxBytes) return { largerThan: bytes };
  }
}
