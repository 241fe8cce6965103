import { Logger } from '@nestjs/common';
import type {
  RegisteredWorkflow,
  TaskHandler,
} from '../../../lib/discovery/registered-workflow.js';
import { ClaimTable } from '../../../lib/engine/claims/claim-table.js';
import { ClaimGate } from '../../../lib/engine/claims/claim-gate.js';
import { ClaimsInFlight } from '../../../lib/engine/claims/claims-in-flight.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { DefinitionCatalog } from '../../../lib/engine/definitions/definition-catalog.js';
import { EngineState } from '../../../lib/engine/engine-state.js';
import {
  makeRunnable,
  type RunnableDefinition,
} from '../../../lib/engine/definitions/runnable-definition.js';
import { TenantLease } from '../../../lib/engine/lease/tenant-lease.js';
import { membersOf } from '../../../lib/engine/memory/execution-cache.js';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import type { TaskSource } from '../../../lib/workflow/definition.js';
import { MemoryDatabase, MemoryStore } from '../../../lib/testing/memory-store/index.js';
import { noLease, startOf } from '../../conformance/workflows.js';
import { compiled } from '../workflow/some-workflows.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { tasksOf } from '../../conformance/tasks-of.js';

Logger.overrideLogger(false);

/** A workflow as the running code has it. */
export function registered(
  tasks: readonly TaskSource[],
  { name = 'w', timeout, handlers = {} }: WorkflowOptions = {},
): RegisteredWorkflow {
  const definition = compiled({ name, tasks, ...(timeout === undefined ? {} : { timeout }) });
  const run = (): unknown => undefined;
  return {
    definition,
    handlers: new Map(
      tasks.flatMap((task) => {
        const handler = handlers[task.name];
        return handler === null ? [] : [[task.name, { run, ...handler }] as const];
      }),
    ),
    source: class Workflow {
      readonly name = name;
    },
  };
}

interface WorkflowOptions {
  readonly name?: string;
  readonly timeout?: number;
  /** Null: the running code has no such task. */
  readonly handlers?: Readonly<Record<string, Partial<TaskHandler> | null>>;
}

/** What the parts of one tenant's engine stand on, with a store in memory and a clock that a test sets. */
export class EngineScene {
  /** The database's and the process's. */
  readonly clock = new ManualClock();
  readonly database = new MemoryDatabase(this.clock);
  readonly store = new MemoryStore(this.database);
  readonly claims = new ClaimTable(this.clock);
  /** Told when the state may have changed. */
  stateChanged: () => void = () => undefined;
  readonly state = new EngineState(() => this.stateChanged());
  readonly inFlight = new ClaimsInFlight();
  readonly definition: RunnableDefinition;
  readonly catalog: DefinitionCatalog;
  /** Names of what was called by way of {@link note}, in order. */
  readonly called: string[] = [];
  readonly lease = new TenantLease(
    () => ({ processId: 'process', name: 'host/1', lockEpoch: null, lockSession: null }),
    30_000,
    () => undefined,
  );
  private readonly slots = new SlotScheduler(1_000, this.clock);
  readonly queue = this.slots.createQueue(10, () => undefined);

  readonly gate = new ClaimGate(this.queue, this.lease, this.inFlight, this.clock);

  constructor(workflow: RegisteredWorkflow = registered([{ name: 'a' }])) {
    this.definition = makeRunnable(workflow.definition, workflow);
    const registry = {
      list: () => [workflow],
      get: (name: string) => (name === workflow.definition.name ? workflow : undefined),
    };
    this.catalog = new DefinitionCatalog(this.store, registry, () => true, this.clock);
    this.queue.open = true;
  }

  /** A callback that notes that it was called. */
  note(name: string): () => void {
    return () => this.called.push(name);
  }

  /** Starts an execution whose roots, unless told, are claimed in the database by this process; returns its id. */
  async start({ input = '{}', claims = 100, priority = 0 } = {}): Promise<string> {
    const { plan } = this.definition;
    const item = startOf({ plan }, { input, claims, priority });
    await this.store.start([item], this.lease.withoutClaim(), false);
    return item.id;
  }

  /** Takes up in memory what the database holds as claimed by this process in the execution. */
  async adopt(id: string): Promise<TaskClaim[]> {
    const rows = await this.store.claimsOf(this.lease.instanceId);
    const inputs = await this.store.inputs([id]);
    return rows
      .filter((row) => row.executionId === id)
      .flatMap((row) => {
        const claim = this.claims.adopt(row, row.generation, this.definition);
        if (claim === undefined) return [];
        if (!claim.cache.inputKnown) claim.cache.setInput(membersOf(inputs.get(id)!.input));
        return [claim];
      });
  }

  /** An execution with claims on its roots, in the database and in memory. */
  async running(options?: Parameters<EngineScene['start']>[0]): Promise<TaskClaim[]> {
    return this.adopt(await this.start(options));
  }

  /** Another process takes the execution's claims for orphans. */
  async takeAway(): Promise<void> {
    const how = { limit: 100, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 };
    await this.store.recovery.takeOrphans(this.lease.instanceId, how, noLease());
  }

  async statusesOf(id: string): Promise<string[]> {
    return (await tasksOf(this.store, [id])).map(({ status }) => status);
  }

  /** Fails the next call with this name; before the statement is executed, or after it. */
  failNext<K extends 'start' | 'claim' | 'complete' | 'reschedule' | 'claimsOf' | 'await'>(
    method: K,
    error: Error,
    { executed = false } = {},
  ): void {
    const real = this.store[method].bind(this.store) as (...args: unknown[]) => Promise<unknown>;
    const once = async (...args: unknown[]): Promise<unknown> => {
      Object.assign(this.store, { [method]: real });
      if (executed) await real(...args);
      throw error;
    };
    Object.assign(this.store, { [method]: once });
  }
}
