import { MemoryRole } from './memory-role.js';
import { openItems } from '../memory-explanations.js';
import { taskRow } from '../memory-read-rows.js';
import type {
  AwaitedChild,
  ExplanationStore,
  ListeningWait,
  OpenItems,
  TaskKey,
  TaskRow,
} from '../../../store/port/index.js';

/** Reads for explanations, in memory. */
export class MemoryExplanationStore extends MemoryRole implements ExplanationStore {
  openItems(executionId: string, maps: readonly number[], atEach: number): Promise<OpenItems[]> {
    return this.run((tables) => openItems(tables, executionId, maps, atEach));
  }

  items(keys: readonly TaskKey[]): Promise<TaskRow[]> {
    return this.run((tables) =>
      keys.flatMap((key) => {
        const task = tables.task(key);
        return task === undefined ? [] : [{ ...taskRow(tables, task), output: null }];
      }),
    );
  }

  listening(tasks: readonly TaskKey[]): Promise<ListeningWait[]> {
    return this.run((tables) =>
      tasks.flatMap((task) =>
        tables.stepsOf(task).flatMap(({ name, status, listensFor }) => {
          if (status !== 'Open' || listensFor === null) return [];
          const { executionId, taskNo, itemNo } = task;
          const { name: eventName, key: eventKey } = listensFor;
          return [{ executionId, taskNo, itemNo, name, eventName, eventKey }];
        }),
      ),
    );
  }

  children(ids: readonly string[]): Promise<AwaitedChild[]> {
    return this.run((tables) =>
      ids.flatMap((id) => {
        const child = tables.executions.get(id);
        return child === undefined ? [] : [{ id, workflow: child.workflow, status: child.status }];
      }),
    );
  }

  pausedBy(executionId: string): Promise<string | undefined> {
    return this.run((tables) => {
      const pause = tables.events.findLast(
        (event) => event.executionId === executionId && event.kind === 'paused',
      );
      return (pause?.detail as { readonly actor?: string } | undefined)?.actor;
    });
  }
}
