import type { JsonObject } from '../discovery/context-types.js';
import type { EventDefinition, SignalDefinition } from '../discovery/message-definitions.js';
import type { TaskContext } from '../discovery/task-context.js';
import {
  workflowNameOf,
  type WorkflowContext,
  type WorkflowInput,
  type WorkflowRef,
} from '../discovery/workflow-ref.js';
import type { RegisteredWorkflow } from '../discovery/registered-workflow.js';
import {
  InvalidArgumentError,
  UnknownExecutionError,
  UnknownWorkflowError,
} from '../errors/index.js';
import type { CloacinaRunner } from '../runner/cloacina-runner.js';
import type { Execution } from '../runner/execution.js';
import type { HistoryEntry } from '../runner/history-entry.js';
import type { StartOptions } from '../runner/start-request.js';
import type { CrashMoment } from './crash-switch.js';
import { runAlone } from './run-alone.js';
import type { TaskMock } from './task-switches.js';
import { idOf, TestingTime, type ExecutionRef } from './testing-time.js';
import type { TestHarness } from './test-harness.js';

/** Options of {@link TestingTenant.runTask}. */
export interface RunTaskOptions {
  /** What the handler reads with `context.get()`. Default: `{}`. */
  context?: JsonObject;
  /** The number of the attempt, as `context.attempt`. Default: 1. */
  attempt?: number;
  /** How often the task was recovered, as `context.recoveryAttempt`. Default: 0. */
  recoveryAttempt?: number;
}

/**
 * Where the process crashes. If several tasks are under way at that instant, the store's speed decides which one comes to the
 * point first, and which outcomes of the others are stored. Name the task, and look at the others' results, not at their
 * `recoveryAttempts`.
 */
export interface CrashPoint {
  /**
   * - `claim`: the process has claimed the task, and its handler has not begun.
   * - `handler`: the handler has returned or thrown, and its outcome is not recorded. What it did outside is done twice.
   * - `record`: the outcome is recorded, and the process has done nothing about it yet.
   */
  after: CrashMoment;
  /** The class, name or definition of the workflow. Default: any. */
  workflow?: WorkflowRef;
  /** The name of the task. Default: any. */
  task?: string;
}

/** A mock of a task. */
export interface MockedTask {
  /** Lets the task's own handler run again. */
  restore(): void;
}

/**
 * One tenant of a test: starts its executions and moves their time, crashes and restarts the process that runs them.
 *
 * @example
 * ```ts
 * const order = await tenant.run(OrderFulfilment, { orderId: 17 });
 * expect(order).toHaveCompleted();
 * ```
 */
export class TestingTenant {
  /** The time of the test. */
  readonly time: TestingTime;

  /** @internal Tests get it from the module or from `createTestingTenant()`. */
  constructor(
    private readonly harness: TestHarness,
    /** The tenant's runner. It stays the same when the process restarts. */
    readonly runner: CloacinaRunner,
  ) {
    this.time = new TestingTime(harness, runner);
  }

  /** The tenant's name. */
  get name(): string {
    return this.runner.tenant;
  }

  /** Whether the process has crashed and was not restarted. */
  get isDown(): boolean {
    return this.harness.isDown;
  }

  /**
   * Starts an execution, moves the time until it has ended, and returns it in whichever final status.
   *
   * @throws the errors of `runner.start()` and {@link TestingTime.advanceUntil}
   */
  async run<R extends WorkflowRef>(
    workflow: R,
    input?: WorkflowInput<R>,
    options?: StartOptions,
  ): Promise<Execution<Partial<WorkflowContext<R>>>> {
    const { id } = await this.runner.start(workflow, input, options);
    return (await this.time.advanceUntil(id)) as Execution<Partial<WorkflowContext<R>>>;
  }

  /**
   * Runs the handler of one task alone, with a real `TaskContext` and the dependencies of its class: its steps are stored, its
   * sleeps pass. The task has no dependencies and one attempt here, and no limit.
   *
   * @param task - the name of the task
   * @returns the keys that the handler has set or returned
   * @throws what the handler throws; WorkflowFailedError if the task failed in another way, such as by its timeout
   * @throws InvalidArgumentError if the workflow has no such task, or it has no handler of its own
   */
  runTask(workflow: WorkflowRef, task: string, options: RunTaskOptions = {}): Promise<JsonObject> {
    const found = this.workflow(workflow);
    return runAlone(this.harness, { tenant: this, workflow: found, task, options });
  }

  /**
   * Calls `mock` in place of the handler of a task, in all tenants of the test. Interceptors run around it.
   *
   * @param task - the name of the task
   * @throws InvalidArgumentError if the workflow has no such task with a handler
   */
  mockTask<C extends object = JsonObject>(
    workflow: WorkflowRef,
    task: string,
    mock: (context: TaskContext<C>) => unknown,
  ): MockedTask {
    const { definition, handlers } = this.workflow(workflow);
    if (!handlers.has(task)) {
      throw new InvalidArgumentError(
        'task',
        `"${task}" is not a task of workflow "${definition.name}" with a handler`,
      );
    }
    return { restore: this.harness.mocks.set(definition.name, task, mock as TaskMock) };
  }

  /** Restores the handlers of all tasks that {@link mockTask} has replaced. */
  restoreTasks(): void {
    this.harness.mocks.clear();
  }

  /** Sends a signal, as `runner.signal()`, and resolves when there is nothing left to do at this time. */
  async signal<P, I>(
    execution: ExecutionRef,
    signal: SignalDefinition<P, I>,
    payload: I,
  ): Promise<void> {
    await this.runner.signal(idOf(execution), signal, payload);
    await this.drain();
  }

  /** Sends an event, as `runner.emit()`, and resolves when there is nothing left to do at this time. */
  async emit<P, I>(event: EventDefinition<P, I>, key: string, payload: I): Promise<void> {
    await this.runner.emit(event, key, payload);
    await this.drain();
  }

  /**
   * The timeline of an execution, as `runner.history()` returns it.
   *
   * @throws UnknownExecutionError
   */
  async history(execution: ExecutionRef): Promise<HistoryEntry[]> {
    const id = idOf(execution);
    const entries = await this.runner.history(id);
    if (entries === null) throw new UnknownExecutionError(id, this.name);
    return entries;
  }

  /** Runs everything that is due, without moving the time. Resolves when there is nothing left to do at this time. */
  async drain(): Promise<void> {
    await this.harness.settle();
  }

  /**
   * Kills the process of the test, with all its tenants: at once, or when it comes to `point`, once. What it has stored stays;
   * its memory is gone, and the results that callers wait for are rejected. The code of a running handler can't be
   * stopped: it continues until it next uses its context.
   *
   * @returns when the process is dead, or, with a point, at once
   */
  async crash(point?: CrashPoint): Promise<void> {
    if (point === undefined) {
      this.harness.kill();
      return;
    }
    const { after, workflow, task } = point;
    const name = workflow === undefined ? undefined : this.workflow(workflow).definition.name;
    this.harness.crashSwitch.arm({
      after,
      ...(name === undefined ? {} : { workflow: name }),
      ...(task === undefined ? {} : { task }),
    });
  }

  /**
   * Boots another process on the same storage, after killing the one that lives. It recovers what that one was running.
   * Resolves when it has nothing left to do at this time.
   */
  restart(): Promise<void> {
    return this.harness.restart();
  }

  private workflow(ref: WorkflowRef): RegisteredWorkflow {
    const name = workflowNameOf(ref);
    const { registry } = this.harness;
    const found = registry.get(name);
    if (found !== undefined) return found;
    const known = registry.ofApplication().map(({ definition }) => definition.name);
    throw new UnknownWorkflowError(name, known);
  }
}
