import type { StoredError } from '../../errors/index.js';
import type { CheckedRate } from '../../workflow/limit.js';
import type {
  ClaimKey,
  OnParentEnd,
  RetentionRules,
  StepKind,
  StepRecord,
  StepStatus,
  TaskKey,
} from '../../store/port/index.js';

/**
 * The rows of one tenant. Properties have the meaning of the PostgreSQL columns with the same names. An instant is a number
 * of milliseconds since 1970, by the database's clock. JSON is stored as text, as in the port.
 */
export interface MemoryExecution {
  readonly id: string;
  readonly workflow: string;
  readonly definitionId: string;
  readonly idempotencyKey: string | null;
  tags: string | null;
  readonly priority: number;
  input: string;
  traceContext: string | null;
  /** Unique within the workflow until a debounced start finds that the execution has begun or ended. */
  debounceKey: string | null;
  /** The id of the debounced start that has replaced the input last. Null if none has. */
  debouncedBy: string | null;
  /** Number of inputs that starts of a batch have added. Null if it is not a batch. */
  batchCount: number | null;
  /** When the execution may begin. With an admission key: when it asks for its slot. */
  runAt: number | null;
  readonly timeoutMs: number | null;
  readonly createdAt: number;
  readonly depth: number;
  readonly parentExecutionId: string | null;
  readonly parentTaskNo: number | null;
  readonly parentItemNo: number | null;
  readonly parentStep: string | null;
  readonly rootExecutionId: string | null;
  readonly onParentEnd: OnParentEnd | null;
  /** The status that a Finishing execution gets at its end. */
  outcome: string | null;
  unsettled: number;
  admissionKey: string | null;
  admitted: boolean;
  legalHold: boolean;
  status: string;
  context: string | null;
  error: string | null;
  reason: string | null;
  remainingLeaves: number;
  unhandledFailures: number;
  generation: number;
  hasWaiters: boolean;
  deadlineAt: number | null;
  startedAt: number | null;
  completedAt: number | null;
}

export interface MemoryTask extends TaskKey {
  readonly definitionId: string;
  readonly priority: number;
  status: string;
  pendingDependencies: number;
  unmetDependencies: number;
  claimToken: number;
  owner: string | null;
  /** Earliest time of the next claim. Null unless the task waits to be claimed, or waits with a time limit. */
  runAt: number | null;
  paused: boolean;
  attempt: number;
  recoveryAttempts: number;
  generation: number;
  wakes: number;
  failureHandled: boolean;
  hasSteps: boolean;
  limitKey: string | null;
  /** Number of items of a map. Negative while more may come. */
  itemCount: number | null;
  readonly item: string | null;
  skipReason: string | null;
  output: string | null;
  deletedKeys: readonly string[] | null;
  error: string | null;
  attempts: string | null;
  deferredSince: number | null;
  startedAt: number | null;
  completedAt: number | null;
  /** A row of a table of its own in PostgreSQL. */
  progress: { readonly value: string; readonly token: number; readonly at: number } | null;
}

export interface MemoryStep extends TaskKey {
  readonly name: string;
  readonly kind: StepKind;
  readonly childId: string | null;
  readonly dueAt: number | null;
  readonly startedAt: number;
  status: StepStatus;
  result: string | null;
  error: string | null;
  listensFor: StepRecord['listensFor'];
  /** The message that ended the wait. */
  signalId: number | null;
  completedAt: number | null;
}

export interface MemoryEvent {
  readonly id: number;
  readonly executionId: string;
  readonly taskNo: number | null;
  /** 0 for the task itself. Null for an event of the execution. */
  readonly itemNo: number | null;
  readonly kind: string;
  readonly detail: unknown;
  readonly createdAt: number;
}

export interface MemoryRecoveryEvent extends TaskKey {
  readonly id: number;
  readonly kind: 'recovered' | 'abandoned';
  readonly cause: string;
  readonly previousOwner: string | null;
  readonly orphanedForMs: number;
  readonly createdAt: number;
}

/** The turn and the state of retention. */
export interface MemoryRetention {
  holder: string | null;
  heldUntil: number;
  rules: RetentionRules;
  lapAt: number | null;
  deleted: number;
  failures: number;
  failure: StoredError | null;
  failedAt: number | null;
}

/** An idempotency key of a deleted execution. */
export interface MemoryKeptKey {
  readonly executionId: string;
  keptAt: number;
  readonly expiresAt: number;
}

/** Numbers of a limit that were set at run time. */
export interface MemoryLimit {
  concurrency: number | null;
  rate: CheckedRate | null;
  total: number | null;
}

/** A key of a limit, or with the name alone the total of it. */
export interface MemorySlot {
  concurrency: number | null;
  rate: CheckedRate | null;
  weight: number | null;
  nextTokenAt: number | null;
  /** The time of the last claim. */
  claimedAt: number;
  holders: readonly ClaimKey[];
}

/** A key of an admission. */
export interface MemoryTurns {
  nextTokenAt: number | null;
  /** Executions in the order in which they were admitted, the last of them also if it has ended. */
  holders: readonly { readonly id: string; readonly generation: number }[];
}

export interface MemoryLease {
  readonly instanceId: string;
  readonly processId: string;
  readonly name: string;
  readonly lockEpoch: string | null;
  readonly lockSession: string | null;
  readonly expiresAt: number;
}

export interface MemoryDefinition {
  readonly id: string;
  readonly hash: string;
  readonly name: string;
  readonly version: string | undefined;
  /** JSON text, so that readers never get the registered object itself. */
  readonly definition: string;
  /** Increases with every registration. */
  readonly registered: number;
  /** When it was registered last, in milliseconds. */
  readonly registeredAt: number;
}

/** The columns of an execution that describe its parent. */
export type ParentColumns = Pick<
  MemoryExecution,
  | 'depth'
  | 'unsettled'
  | 'parentExecutionId'
  | 'parentTaskNo'
  | 'parentItemNo'
  | 'parentStep'
  | 'rootExecutionId'
  | 'onParentEnd'
>;

export const NO_PARENT: ParentColumns = {
  depth: 0,
  unsettled: 0,
  parentExecutionId: null,
  parentTaskNo: null,
  parentItemNo: null,
  parentStep: null,
  rootExecutionId: null,
  onParentEnd: null,
};

const OPEN_TASKS = new Set(['NotStarted', 'Ready', 'Running', 'Waiting']);
const OPEN_EXECUTIONS = new Set(['Pending', 'Running', 'Paused', 'Finishing']);

/** Whether the task has not ended. */
export function isOpenTask({ status }: MemoryTask): boolean {
  return OPEN_TASKS.has(status);
}

/** Whether the execution has not ended. */
export function isOpenExecution({ status }: Pick<MemoryExecution, 'status'>): boolean {
  return OPEN_EXECUTIONS.has(status);
}

export type WaitingTask = MemoryTask & { runAt: number };

/** Whether the task waits to be claimed, now or later. */
export function isWaiting(task: MemoryTask): task is WaitingTask {
  return task.runAt !== null && !task.paused;
}

/** Changes some columns of a row. */
export function change<T extends object>(row: T, columns: Partial<T>): void {
  Object.assign(row, columns);
}
