import type { ClaimKey, TaskKey } from './claims.js';

/** Maximum number of results that one read returns. */
export const RESULTS_PAGE = 1_000;

/** The row of a map. */
export type MapKey = Pick<TaskKey, 'executionId' | 'taskNo'>;

/** The row of an item, or of a map, as the claim of an item needs it. */
export interface ItemRow extends TaskKey {
  /** JSON text. Null for a map. */
  readonly item: string | null;
  /** Of a map: whether one of its items has ended without success. */
  readonly hasUnmet: boolean;
}

/** A map between two of its runs. */
export interface MapState {
  /** Number of stored items. */
  readonly stored: number;
  /** Whether all items are stored. */
  readonly isExpanded: boolean;
  /** JSON text of the last stored item, while not all are stored. Null if no item is stored. */
  readonly lastItem: string | null;
  /** Numbers of items by status, once all items are stored. */
  readonly counts: ItemCounts;
  /** The first Failed item, once all items are stored. */
  readonly firstFailure: { readonly itemNo: number; readonly error: string | null } | null;
}

export interface ItemCounts {
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** Items that a map's own run appends to those that are stored. */
export interface ItemAppend extends ClaimKey {
  /** Number of items that are stored. The statement refuses to append to any other number. */
  readonly stored: number;
  /** JSON texts, in order. */
  readonly items: readonly string[];
  /** Whether these are the last: the claim of the map ends, and it waits for its items. */
  readonly isLast: boolean;
  /** The key that all of them count for, or one for each of them. Null: none. */
  readonly limitKeys: string | readonly string[] | null;
}

/** The map's row after an append. */
export interface AppendReply {
  /** Whether items have ended without success. */
  readonly hasUnmet: boolean;
  /** Whether the execution is paused, so the items must not be claimed. */
  readonly paused: boolean;
  /** Whether all items had ended already, so that the map is due. */
  readonly isDue: boolean;
}

/** An item with its outcome. */
export interface ItemResultRow {
  readonly itemNo: number;
  readonly status: string;
  readonly attempt: number;
  /** JSON texts. */
  readonly item: string;
  readonly output: string | null;
  readonly error: string | null;
}

export interface ResultsFilter {
  readonly status?: string | undefined;
  /** The number of the last item of the previous page; 0 for the first page. */
  readonly after: number;
  readonly limit: number;
}

/** Which items to cancel, on which condition. */
export interface ItemCancel extends MapKey {
  /** Only while the map is a claim with this token. Null: only while it waits, and an item has ended without success. */
  readonly token: number | null;
  /** The generation of the map. */
  readonly generation: number;
  /** Only items below this number. */
  readonly below: number;
}

/** A page of items that were cancelled. */
export interface CancelledItems {
  /** Whether the condition held. If not, nothing was cancelled. */
  readonly applied: boolean;
  readonly cancelled: number;
  /** The number of the last one. 0 if `cancelled` is 0. */
  readonly last: number;
  /** Whether there are more below: a further page, or rows that other sessions have locked. */
  readonly hasMore: boolean;
  /** Whether items were Running, so that their handlers must stop. */
  readonly wasRunning: boolean;
  /** Whether all items have ended, so that the map is due. */
  readonly isDue: boolean;
}

/** The items of maps. An item is a row like that of a task, so claims, outcomes and recovery are those of tasks. */
export interface ItemStore {
  /** The rows of items and maps. Missing rows are left out. */
  read(tasks: readonly TaskKey[]): Promise<ItemRow[]>;
  /** The state of a map; undefined if its row is missing. */
  state(map: MapKey): Promise<MapState | undefined>;
  /** Stores items, in one statement. Undefined if the claim was lost, or another number of items is stored. */
  append(append: ItemAppend): Promise<AppendReply | undefined>;
  /** Items in order, by pages. A page may be shorter than the limit if its rows are large; the last one is empty. */
  results(map: MapKey, filter: ResultsFilter): Promise<ItemResultRow[]>;
  /** Cancels a page of the items that have not ended, from the last one down. Skips locked rows. */
  cancel(cancel: ItemCancel): Promise<CancelledItems>;
}
