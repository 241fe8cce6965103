import { MemoryRole } from './memory-role.js';
import { MAX_AGED, type AgingDefinition, type QueueStore } from '../../../store/port/index.js';
import { PRIORITY_LEVELS, priorityLevel } from '../../../workflow/priority.js';
import { change, isWaiting } from '../memory-rows.js';

/** Executions and tasks that wait for their begin, in memory. */
export class MemoryQueueStore extends MemoryRole implements QueueStore {
  pending(workflow: string, most: number): Promise<number> {
    return this.run(({ executions }) => {
      const pending = [...executions.values()].filter(
        (execution) => execution.status === 'Pending' && execution.workflow === workflow,
      );
      return Math.min(most, pending.length);
    });
  }

  age(definitions: readonly AgingDefinition[]): Promise<number> {
    const byId = new Map(definitions.map((definition) => [definition.id, definition]));
    return this.run((tables) => {
      const now = tables.now();
      const due = tables
        .allTasks()
        .filter(isWaiting)
        .flatMap((task) => {
          const aging = byId.get(task.definitionId);
          const steps = aging && Math.floor((now - task.runAt) / aging.agingMs);
          if (aging === undefined || steps === undefined || steps < 1) return [];
          const ofExecution = tables.executions.get(task.executionId)?.priority ?? 0;
          const sum = ofExecution + (aging.priorities[task.taskNo] ?? 0);
          const place = PRIORITY_LEVELS.indexOf(priorityLevel(sum)) + steps;
          const level = PRIORITY_LEVELS[place] ?? Math.max(...PRIORITY_LEVELS);
          return level > task.priority ? [{ task, level }] : [];
        })
        .sort((a, b) => a.task.runAt - b.task.runAt)
        .slice(0, MAX_AGED);
      for (const { task, level } of due) change(task, { priority: level });
      return due.length;
    });
  }
}
