import { MemoryRole } from './memory-role.js';
import { cancel, pastDeadlines, pause, resume, timeOut } from '../memory-control.js';
import { reset } from '../memory-resets.js';
import type {
  ControlResult,
  ControlStore,
  PastDeadline,
  TimedOutExecution,
} from '../../../store/port/index.js';

/** Control of executions from outside of their tasks, in memory. */
export class MemoryControlStore extends MemoryRole implements ControlStore {
  cancel(id: string, reason: string | null, actor: string | null = null): Promise<ControlResult> {
    return this.run((tables) => cancel(tables, id, reason, actor));
  }

  pause(id: string, reason: string | null, actor: string | null = null): Promise<ControlResult> {
    return this.run((tables) => pause(tables, id, reason, actor));
  }

  resume(id: string, actor: string | null = null): Promise<ControlResult> {
    return this.run((tables) => resume(tables, id, actor));
  }

  pastDeadlines(after?: PastDeadline): Promise<PastDeadline[]> {
    return this.run((tables) => pastDeadlines(tables, after));
  }

  timeOut(
    executions: readonly PastDeadline[],
    errorOf: (execution: PastDeadline) => unknown,
  ): Promise<TimedOutExecution[] | undefined> {
    return this.run((tables) => timeOut(tables, executions, errorOf));
  }

  reset(id: string, decide: Parameters<ControlStore['reset']>[1]): Promise<number | undefined> {
    return reset(this.tables, id, decide);
  }
}
