import type { WorkflowRef } from '../discovery/workflow-ref.js';
import { checkCallOptions } from '../errors/call-options.js';
import { refuseInBoot, refuseInTask, refuseManager } from './call-checks.js';
import type { ExecutionResult } from './execution.js';
import { RunnerHandle, type ExecutionHandle, type HandleControl } from './execution-handle.js';
import type { ExecutionStarter } from './execution-starter.js';
import { checkWait, RESULT_OPTIONS, type ResultOptions } from './result-options.js';
import type { ResultWaiter } from './result-waiter.js';
import type { ServedCalls } from './served-calls.js';
import { START_OPTIONS, type StartOptions } from './start-request.js';

const EXECUTE_OPTIONS = new Set([...START_OPTIONS, ...RESULT_OPTIONS]);

export interface StartCallsParts {
  readonly starter: Pick<ExecutionStarter, 'start'>;
  readonly waits: ResultWaiter;
  readonly control: HandleControl;
  readonly served: ServedCalls;
  readonly hasBooted: () => boolean;
}

/** Starts executions for `start` and `execute`, and makes handles of executions. */
export class StartCalls {
  constructor(private readonly parts: StartCallsParts) {}

  async execute(
    workflow: WorkflowRef,
    context: object | undefined,
    options: StartOptions & ResultOptions = {},
  ): Promise<ExecutionResult> {
    const { hasBooted, served, starter, waits } = this.parts;
    refuseInTask('execute()');
    refuseInBoot('execute()', hasBooted());
    checkCallOptions('execute()', options, EXECUTE_OPTIONS);
    const { timeout, settled, ...startOptions } = options;
    const wait = checkWait({ timeout, settled });
    refuseManager(startOptions.manager);
    return waits.resultOfStart(
      (onRequest) => served.run(() => starter.start(workflow, context, startOptions, onRequest)),
      wait,
    );
  }

  /** @typeParam C - the context of the workflow, which the handle cannot know: rows carry no types */
  async start<C extends object>(
    workflow: WorkflowRef,
    context: object | undefined,
    options: StartOptions | undefined,
  ): Promise<ExecutionHandle<C>> {
    const { served, starter } = this.parts;
    const { id, created } = await served.run(() => starter.start(workflow, context, options));
    return this.handle(id, created) as object as ExecutionHandle<C>;
  }

  handle(id: string, created = false): ExecutionHandle {
    return new RunnerHandle(id, created, this.parts.control, this.parts.waits);
  }
}
