import { MemoryRole } from './memory-role.js';
import { appendItems, cancelItems, itemResults, itemRow, mapState } from '../memory-items.js';
import type {
  AppendReply,
  CancelledItems,
  ItemAppend,
  ItemCancel,
  ItemResultRow,
  ItemRow,
  ItemStore,
  MapKey,
  MapState,
  ResultsFilter,
  TaskKey,
} from '../../../store/port/index.js';

/** The items of maps, in memory. */
export class MemoryItemStore extends MemoryRole implements ItemStore {
  read(tasks: readonly TaskKey[]): Promise<ItemRow[]> {
    return this.run((tables) => tasks.flatMap((task) => itemRow(tables, task) ?? []));
  }

  state(map: MapKey): Promise<MapState | undefined> {
    return this.run((tables) => mapState(tables, map));
  }

  append(append: ItemAppend): Promise<AppendReply | undefined> {
    return this.run((tables) => appendItems(tables, append));
  }

  results(map: MapKey, filter: ResultsFilter): Promise<ItemResultRow[]> {
    return this.run((tables) => itemResults(tables, map, filter));
  }

  cancel(cancel: ItemCancel): Promise<CancelledItems> {
    return this.run((tables) => cancelItems(tables, cancel));
  }
}
