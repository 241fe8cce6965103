import { Subject } from 'rxjs';
import { workflowNameOf } from '../../../lib/discovery/workflow-ref.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import { AnnouncePass } from '../../../lib/engine/process/announce-pass.js';
import { ProcessEngine } from '../../../lib/engine/process/process-engine.js';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import { TenantEngine } from '../../../lib/engine/tenant-engine.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { newExecutionId } from '../../../lib/runner/execution-id.js';
import { scheduleWorkflows } from '../../../lib/runner/schedules/backfill-workflow.js';
import { EventListeners } from '../../../lib/events/event-listeners.js';
import type { CloacinaTelemetry } from '../../../lib/events/telemetry.js';
import type { EventSink } from '../../../lib/events/tenant-events.js';
import type { Clock } from '../../../lib/runtime/clock.js';
import {
  MemoryDatabase,
  MemorySession,
  MemoryStore,
} from '../../../lib/testing/memory-store/index.js';
import { tasksOf } from '../../conformance/tasks-of.js';

const LEASE_MS = 30_000;
/** The tenant's name in notifications. */
export const ADDRESS = '0123456789abcdef';
/** The backend that sends notifications. */
const SENDER = 1;

interface MemoryProcessOptions {
  /** Shared by several processes. Default: a database of its own. */
  readonly database?: MemoryDatabase;
  /** Number of tasks at once; 0 for a client. Default 10. */
  readonly tasks?: number;
  /** The newest format of definitions that it reads, as it tells others. Default 2. */
  readonly format?: number;
  /** The slots of the whole process; `tasks` are those of the tenant. Default 10. */
  readonly slots?: number;
  /** What traces and measures the process. Default: nothing. */
  readonly telemetry?: CloacinaTelemetry;
}

/** A process with one tenant on a database in memory, as the application wires it, where all has its time from one clock. */
export class MemoryProcess {
  readonly store: MemoryStore;
  readonly engine: TenantEngine;
  readonly runner: CloacinaRunner;
  private readonly process: ProcessEngine<MemorySession>;
  private readonly announcements: AnnouncePass;
  private deafen: () => void = () => undefined;
  private loseSession: () => void = () => undefined;
  /** The life of the server, as the next session sees it. */
  private life = 'first';

  constructor(
    private readonly clock: Clock,
    workflow: RegisteredWorkflow | readonly RegisteredWorkflow[],
    {
      database = new MemoryDatabase(clock),
      tasks = 10,
      format = 2,
      slots = 10,
      telemetry,
    }: MemoryProcessOptions = {},
  ) {
    const workflows = [workflow].flat();
    const registry = {
      list: () => workflows,
      get: (name: string) => workflows.find(({ definition }) => definition.name === name),
      nameOf: workflowNameOf,
    };
    this.store = new MemoryStore(database);
    this.process = new ProcessEngine<MemorySession>({
      clock,
      slots: new SlotScheduler(slots, clock),
      leaseDurationMs: LEASE_MS,
      onProcesses: () => undefined,
      onWatch: () => undefined,
      onSwept: () => undefined,
      onNewLife: () => undefined,
      onTenants: () => undefined,
      peers: () => [...database.locks].filter((lock) => lock !== this.process.session?.lockSession),
      open: async (_, onPayload, onLost) => {
        this.deafen = database.listen((payload) => onPayload(payload, SENDER));
        this.loseSession = () => onLost(undefined);
        return Object.assign(new MemorySession(database), { epoch: this.life });
      },
    });
    this.announcements = new AnnouncePass({
      clock,
      session: () => this.process.session,
      identity: () => ({
        processId: this.process.processId,
        name: this.process.processName,
        format,
      }),
      tenants: () => this.process.all,
      named: () => this.process.all,
      plan: () => undefined,
    });
    this.engine = new TenantEngine({
      settings: {
        tenant: 't',
        schema: this.store.schema,
        address: ADDRESS,
        maxConcurrentTasks: tasks,
        maxContextSize: 1_000_000,
        maxSteps: 10_000,
        maxStepsSize: 33_554_432,
        signalSecrets: [],
        startTimeoutMs: 60_000,
        handlerGraceMs: 60_000,
        leaseDurationMs: LEASE_MS,
        maxRecoveryAttempts: 3,
      },
      store: this.store,
      dataSource: {} as TaskContext['dataSource'],
      runner: () => this.runner,
      registry,
      serves: () => true,
      builtIns: scheduleWorkflows(),
      services: this.process.services,
      events: sinkOf(telemetry),
      telemetry,
    });
    this.runner = new CloacinaRunner({
      engine: this.engine,
      registry,
      serves: () => true,
      hasBooted: () => true,
      events: new Subject(),
      shutdown: () => this.close(),
    });
  }

  async open(): Promise<void> {
    await this.process.start();
    await this.engine.open();
    this.process.add([this.engine]);
    this.process.startClaiming();
    await this.announce();
  }

  /** Tells other processes what this one serves, as a part of the sweep does. */
  announce(): Promise<void> {
    return this.announcements.over([]);
  }

  /** The process is killed, as far as others can see. */
  die(): void {
    this.deafen();
    this.store.database.locks.delete(this.lock);
  }

  /** The process hangs, as far as others can see: it holds its lock, and hears nothing any more. */
  hang(): void {
    this.deafen();
  }

  /** Its control connection is lost. The next one is open when its clock has moved a little. */
  reconnect(life = this.life): void {
    this.life = life;
    this.die();
    this.loseSession();
  }

  /** The lock by which other processes know that it lives. */
  get lock(): string {
    return this.process.session?.lockSession ?? '';
  }

  async close(): Promise<void> {
    this.deafen();
    await this.engine.drain(0);
    this.engine.close();
    await this.process.stop();
  }

  /** Starts an execution of the workflow; returns its id. */
  async start(delayMs: number | null = null): Promise<string> {
    const { id } = await this.engine.starts.start({
      id: newExecutionId(this.clock),
      definition: await this.engine.catalog.toStart('w'),
      input: '{}',
      members: new Map(),
      priority: 0,
      runAt: null,
      delayMs,
      startBefore: null,
      idempotencyKey: null,
      tags: null,
      limitKeys: null,
      traceContext: null,
      admission: null,
      isAwaited: false,
    });
    return id;
  }

  async statusOf(id: string): Promise<string> {
    const [execution] = await this.store.executions([id]);
    return execution!.status;
  }

  /** What came of the execution's only task. */
  async task(id: string) {
    const [task] = await tasksOf(this.store, [id]);
    return task!;
  }
}

function sinkOf(telemetry: CloacinaTelemetry | undefined): EventSink {
  const listeners = new EventListeners();
  if (telemetry !== undefined) listeners.add(telemetry.listener);
  return { wants: (name) => listeners.want(name), next: (event) => listeners.tell(event) };
}
