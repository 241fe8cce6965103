import type { TaskContext } from '../discovery/task-context.js';
import type { ApplicationHooks } from '../tenants/hosting/application-hooks.js';
import { TaskInterceptors } from '../engine/execution/task-interceptors.js';
import type { CrashSwitch } from './crash-switch.js';
import { noteThrown } from './thrown-errors.js';
import type { LoneTasks } from './lone-tasks.js';
import { crashed, type ProcessLife } from './process-life.js';

/** A function in place of the handler of a task. */
export type TaskMock = (context: TaskContext) => unknown;

/** The mocks of tasks, by workflow and task. */
export class TaskMocks {
  private readonly mocks = new Map<string, TaskMock>();

  set(workflow: string, task: string, mock: TaskMock): () => void {
    const key = `${workflow}\0${task}`;
    this.mocks.set(key, mock);
    return () => {
      if (this.mocks.get(key) === mock) this.mocks.delete(key);
    };
  }

  clear(): void {
    this.mocks.clear();
  }

  of({ workflow, taskName }: TaskContext): TaskMock | undefined {
    return this.mocks.get(`${workflow}\0${taskName}`);
  }
}

export interface TaskSwitchesParts {
  readonly life: ProcessLife;
  readonly hooks: ApplicationHooks;
  readonly mocks: TaskMocks;
  readonly lone: LoneTasks;
  readonly crash: CrashSwitch;
}

/** The place around each handler of a process: it counts it, crashes before or after it, and calls a mock instead. */
export class TaskSwitches extends TaskInterceptors {
  constructor(private readonly parts: TaskSwitchesParts) {
    super();
  }

  override around(context: TaskContext, handler: () => unknown): unknown {
    const { life } = this.parts;
    return life.handling(`${context.workflow}.${context.taskName}`, () =>
      this.run(context, handler),
    );
  }

  private async run(context: TaskContext, handler: () => unknown): Promise<unknown> {
    const { life, hooks, mocks, lone, crash } = this.parts;
    life.assertAlive();
    const shown = lone.viewOf(context);
    const facts = { workflow: shown.workflow, task: shown.taskName };
    if (crash.strikes('claim', facts)) throw crashed('Running the handler');
    const mock = mocks.of(context);
    const inner = mock === undefined ? handler : () => mock(context);
    const result = await this.outcomeOf(context, () => hooks.interceptors.around(shown, inner));
    if (crash.strikes('handler', facts)) throw crashed('Recording the outcome');
    life.assertAlive();
    if ('error' in result) throw result.error;
    return result.value;
  }

  private async outcomeOf(
    { executionId }: TaskContext,
    call: () => unknown,
  ): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
    try {
      return { value: await call() };
    } catch (error) {
      noteThrown(executionId, error);
      return { error };
    }
  }
}
