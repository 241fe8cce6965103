import type {
  AnnouncingSession,
  BacklogSession,
  Claimant,
  PauseSession,
  RecoverySession,
  RenewingSession,
  SettlingSession,
  TenantStore,
  WakeUpSession,
} from '../../lib/store/port/index.js';
import type { LeaseColumns, StoredRows, TaskColumns } from './stored-rows.js';
import { Worker } from './worker.js';

/** Columns of a task's row that a test sets by hand, because time or other processes would have to pass for it. */
export interface TaskChange {
  /** When it is due, in milliseconds from now. */
  readonly runInMs?: number;
  /** Since when it is deferred, in milliseconds before now. */
  readonly deferredForMs?: number;
  readonly claimToken?: number;
  readonly owner?: string | null;
  readonly attempt?: number;
  readonly recoveryAttempts?: number;
  readonly unmetDependencies?: number;
  readonly generation?: number;
}

/** An open store of one tenant, and what a test needs to look behind it. */
export interface OpenedStore {
  readonly store: TenantStore;
  /** Another store on the tenant, which keeps the keys of deleted executions. */
  readonly keeping: TenantStore;
  /** The session of one process. */
  readonly session: BacklogSession &
    RenewingSession &
    SettlingSession &
    PauseSession &
    AnnouncingSession &
    Pick<WakeUpSession, 'dueTimes' | 'sweep'> &
    Pick<RecoverySession, 'leases' | 'underWay'>;
  rowsOf(id: string): Promise<StoredRows>;
  leaseOf(claimant: Claimant): Promise<LeaseColumns | undefined>;
  changeTask(id: string, taskNo: number, change: TaskChange): Promise<void>;
  /** Gives the task `count` items, which are due, as the statement that expands a task does. Its claim ends. */
  addItems(id: string, taskNo: number, count: number): Promise<void>;
  /** Deletes an execution with its tasks, as an administrator may. */
  deleteExecution(id: string): Promise<void>;
  /** Decides the outcome of the execution, which is Finishing from then on. */
  beginFinish(id: string, outcome: string): Promise<void>;
  /** Sets when the execution asks for the slot of its admission, in milliseconds from now. */
  askedAt(id: string, inMs: number): Promise<void>;
  /** Sets the deadline of the execution's timeout, in milliseconds from now. */
  setDeadline(id: string, inMs: number): Promise<void>;
  /** Deletes what the store keeps to find the claims of an instance, where that is not the tasks' rows themselves. */
  forgetClaims(claimant: Claimant): Promise<void>;
  /** Lets all kept keys be older. */
  ageKeys(ms: number): Promise<void>;
  /** The notifications that are sent while `work` runs. */
  heardDuring(work: () => Promise<unknown>): Promise<readonly string[]>;
  /** Deletes all executions and leases. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

let definitions = 1_000;

/** The store that the conformance suite is about. It is open while tests run, and not yet when they are described. */
export class TestedStore {
  private opened: OpenedStore | undefined;

  constructor(private readonly openStore: () => Promise<OpenedStore>) {}

  async open(): Promise<void> {
    this.opened = await this.openStore();
  }

  async close(): Promise<void> {
    await this.opened?.close();
  }

  get behind(): OpenedStore {
    if (this.opened === undefined) throw new Error('The store is opened by beforeAll.');
    return this.opened;
  }

  get store(): TenantStore {
    return this.behind.store;
  }

  /** A process on the tenant. */
  worker(): Worker {
    return new Worker(() => this.store);
  }

  /** The id of a definition that no other test has: its tasks are claimed by no other test. */
  newDefinition(): string {
    return String(++definitions);
  }

  rowsOf(id: string): Promise<StoredRows> {
    return this.behind.rowsOf(id);
  }

  async taskOf(id: string, taskNo: number, itemNo = 0): Promise<TaskColumns> {
    const { tasks } = await this.rowsOf(id);
    const task = tasks.find((row) => row.task_no === taskNo && row.item_no === itemNo);
    if (task === undefined) throw new Error(`Execution ${id} has no task ${taskNo}/${itemNo}.`);
    return task;
  }

  /** The statuses of all its tasks, by number. */
  async statusesOf(id: string): Promise<string[]> {
    return (await this.rowsOf(id)).tasks.map((task) => task.status);
  }
}
