import { MemoryRole } from './memory-role.js';
import type {
  ActionQuery,
  ActionRecord,
  ActionStore,
  NewAction,
} from '../../../store/port/index.js';

/** Actions of people, in memory. */
export class MemoryActionStore extends MemoryRole implements ActionStore {
  record(action: NewAction): Promise<void> {
    return this.run((tables) => tables.addAction(action));
  }

  list({ subject, actor, before, limit }: ActionQuery): Promise<ActionRecord[]> {
    return this.run(({ actions }) =>
      actions
        .filter((one) => subject === null || one.subject === subject)
        .filter((one) => actor === null || one.actor === actor)
        .filter(({ id }) => before === null || Number(id) < Number(before))
        .toReversed()
        .slice(0, limit),
    );
  }
}
