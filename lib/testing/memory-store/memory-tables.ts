import {
  ACTION_DAYS,
  type ActionNote,
  type ActionRecord,
  type EventSubscription,
  type NewAction,
  type StateRecord,
  type TaskKey,
  type TenantHandle,
  type WorkflowPause,
} from '../../store/port/index.js';
import type {
  MemoryDefinition,
  MemoryEvent,
  MemoryExecution,
  MemoryLease,
  MemoryKeptKey,
  MemoryLimit,
  MemoryRecoveryEvent,
  MemoryRetention,
  MemorySlot,
  MemoryStep,
  MemoryTask,
  MemoryTurns,
} from './memory-rows.js';
import type { MemoryProcessRow } from './memory-processes.js';
import type { MemoryFiring, MemorySchedule } from './memory-schedules.js';
import type { MemoryEventStart, MemorySignal } from './memory-signals.js';
import type { MemoryTransaction } from './memory-transaction.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * The tables of one tenant. A statement is a synchronous function on them, so it runs without interleaving. It checks all of
 * its parameters before it changes a row, so it changes everything or nothing.
 */
export class MemoryTables implements TenantHandle {
  readonly executions = new Map<string, MemoryExecution>();
  /** Tasks by execution. The index in the array is the task's number. Items of tasks follow after all tasks. */
  readonly tasks = new Map<string, MemoryTask[]>();
  /** Steps of tasks by execution. */
  readonly steps = new Map<string, MemoryStep[]>();
  readonly leases = new Map<string, MemoryLease>();
  /** What processes serve, by process. */
  readonly processes = new Map<string, MemoryProcessRow>();
  readonly definitions = new Map<string, MemoryDefinition>();
  /** Numbers of limits by name, and the slots by key. */
  readonly limits = new Map<string, MemoryLimit>();
  readonly slots = new Map<string, MemorySlot>();
  /** Pauses of workflows by name. */
  readonly pauses = new Map<string, WorkflowPause>();
  /** What people did to workflows and schedules, the oldest first. */
  actions: ActionRecord[] = [];
  /** The calls of all actions that were recorded. */
  readonly actionCalls = new Set<string>();
  /** The slots of whole executions by key. */
  readonly turns = new Map<string, MemoryTurns>();
  events: MemoryEvent[] = [];
  signals: MemorySignal[] = [];
  subscriptions: EventSubscription[] = [];
  eventStarts: MemoryEventStart[] = [];
  readonly schedules = new Map<string, MemorySchedule>();
  firings: MemoryFiring[] = [];
  /** Values of the library by name, and the open transactions that have changed one. */
  readonly states = new Map<string, StateRecord>();
  readonly changedStates = new Map<string, MemoryTransaction>();
  /** The number of the next firing. */
  nextFiring = 0;
  recoveryEvents: MemoryRecoveryEvent[] = [];
  /** Undefined until a process with a retention was on. */
  retention: MemoryRetention | undefined;
  /** Keys of deleted executions, as {@link keyOf}. */
  readonly keptKeys = new Map<string, MemoryKeptKey>();
  /** Idempotency keys that open transactions have used, as {@link keyOf}. */
  readonly openKeys = new Map<string, MemoryTransaction>();
  private holder: Promise<void> | undefined;
  private lastId = 0;

  constructor(
    readonly schema: string,
    readonly clock: Clock,
    /** The locks of living processes, in the format of leases. */
    readonly locks: ReadonlySet<string>,
    readonly notify: (payloads: readonly string[]) => void,
  ) {}

  /** The database's time, in milliseconds since 1970. */
  now(): number {
    return this.clock.wallTime();
  }

  nextId(): number {
    return ++this.lastId;
  }

  task({ executionId, taskNo, itemNo }: TaskKey): MemoryTask | undefined {
    const rows = this.tasks.get(executionId);
    if (itemNo === 0) return rows?.[taskNo];
    return rows?.find((row) => row.taskNo === taskNo && row.itemNo === itemNo);
  }

  /** The execution's tasks without their items, by number. */
  tasksOf(executionId: string): MemoryTask[] {
    return (this.tasks.get(executionId) ?? []).filter(({ itemNo }) => itemNo === 0);
  }

  allTasks(): MemoryTask[] {
    return [...this.tasks.values()].flat();
  }

  running(owner: string | null): MemoryTask[] {
    return this.allTasks().filter((task) => task.status === 'Running' && task.owner === owner);
  }

  /** The execution with this key. */
  findByKey(workflow: string, key: string): MemoryExecution | undefined {
    return [...this.executions.values()].find(
      (execution) => execution.workflow === workflow && execution.idempotencyKey === key,
    );
  }

  stepsOf({ executionId, taskNo, itemNo }: TaskKey): MemoryStep[] {
    const steps = this.steps.get(executionId) ?? [];
    return steps.filter((step) => step.taskNo === taskNo && step.itemNo === itemNo);
  }

  addStep(step: MemoryStep): void {
    const steps = this.steps.get(step.executionId);
    if (steps === undefined) this.steps.set(step.executionId, [step]);
    else steps.push(step);
  }

  deleteSteps(task: TaskKey, isDeleted: (step: MemoryStep) => boolean): void {
    const deleted = new Set(this.stepsOf(task).filter(isDeleted));
    const steps = this.steps.get(task.executionId) ?? [];
    this.steps.set(
      task.executionId,
      steps.filter((step) => !deleted.has(step)),
    );
  }

  listPauses(): WorkflowPause[] {
    return [...this.pauses.values()].sort((a, b) => (a.workflow < b.workflow ? -1 : 1));
  }

  /** Records an action unless its call is known, and forgets one that is too old. */
  addAction(action: NewAction): void {
    if (this.actionCalls.has(action.callId)) return;
    this.actionCalls.add(action.callId);
    const { kind, subject, actor, reason, executionId } = action;
    const at = new Date(this.now());
    const id = String(this.nextId());
    this.actions.push({ kind, subject, actor, reason, executionId, id, at });
    const [oldest] = this.actions;
    const forgottenAt = this.now() - ACTION_DAYS * 86_400_000;
    if (oldest !== undefined && oldest.at.getTime() < forgottenAt) this.actions.shift();
  }

  /** Records what a change of a workflow or a schedule says about its actor. */
  noteAction(subject: string, note: ActionNote | null | undefined): void {
    if (note !== null && note !== undefined) {
      this.addAction({ ...note, subject, executionId: null });
    }
  }

  /** Adds an event of an execution. */
  addEvent(executionId: string, kind: string, detail: unknown = null): void {
    this.addEventOf({ executionId, taskNo: null, itemNo: null }, kind, detail);
  }

  /** Adds an event of a task. */
  addTaskEvent(task: TaskKey, kind: string, detail: unknown = null): void {
    const { executionId, taskNo, itemNo } = task;
    this.addEventOf({ executionId, taskNo, itemNo }, kind, detail);
  }

  private addEventOf(
    of: Pick<MemoryEvent, 'executionId' | 'taskNo' | 'itemNo'>,
    kind: string,
    detail: unknown,
  ): void {
    this.events.push({ ...of, kind, detail, id: this.nextId(), createdAt: this.now() });
  }

  /** Runs a statement. Waits while a transaction has the lock. */
  async run<T>(statement: () => T): Promise<T> {
    while (this.holder !== undefined) await this.holder;
    return statement();
  }

  /**
   * Locks all rows of the tenant, while PostgreSQL locks only rows that a transaction has changed. The difference is not
   * visible, because only a transaction that is about to commit holds the lock. Returns a function that unlocks the rows.
   */
  async lock(): Promise<() => void> {
    while (this.holder !== undefined) await this.holder;
    let unlock: () => void = () => undefined;
    this.holder = new Promise((resolve) => (unlock = resolve));
    return () => {
      this.holder = undefined;
      unlock();
    };
  }

  /** Copies all rows. Returns a function that restores them. */
  checkpoint(): () => void {
    const executions = [...this.executions].map(([id, row]) => [id, { ...row }] as const);
    const tasks = [...this.tasks].map(([id, rows]) => [id, rows.map((r) => ({ ...r }))] as const);
    const steps = [...this.steps].map(([id, rows]) => [id, rows.map((r) => ({ ...r }))] as const);
    const leases = [...this.leases];
    const { events, recoveryEvents } = this;
    this.events = [...events];
    this.recoveryEvents = [...recoveryEvents];
    return () => {
      refill(this.executions, executions);
      refill(this.tasks, tasks);
      refill(this.steps, steps);
      refill(this.leases, leases);
      this.events = events;
      this.recoveryEvents = recoveryEvents;
    };
  }
}

/** Combines a workflow and an idempotency key into one text. */
export function keyOf(workflow: string, key: string): string {
  return JSON.stringify([workflow, key]);
}

function refill<K, V>(map: Map<K, V>, entries: readonly (readonly [K, V])[]): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}
