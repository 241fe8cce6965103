import {
  MemoryDatabase,
  MemorySession,
  MemoryStore,
} from '../../../lib/testing/memory-store/index.js';
import type { OpenedStore, TaskChange } from '../../conformance/tested-store.js';
import type { ExecutionColumns, LeaseColumns, TaskColumns } from '../../conformance/stored-rows.js';
import { systemClock } from '../../../lib/runtime/clock.js';

const JSON_COLUMNS = new Set(['input', 'context', 'error', 'output', 'attempts']);

/** The store in memory, for the conformance suite. */
export async function openMemory(database = new MemoryDatabase(systemClock)): Promise<OpenedStore> {
  const store = new MemoryStore(database);
  const tables = store.handle;
  const now = (): number => database.now();
  return {
    store,
    keeping: store,
    session: new MemorySession(database),
    rowsOf: async (id) => {
      const execution = tables.executions.get(id);
      return {
        execution: execution && columns<ExecutionColumns>(execution),
        tasks: (tables.tasks.get(id) ?? []).map((task) => columns<TaskColumns>(task)),
        events: tables.events
          .filter((event) => event.executionId === id)
          .map((event) => columns<{ kind: string; task_no: number | null }>(event)),
      };
    },
    leaseOf: async ({ instanceId }) => {
      const lease = tables.leases.get(instanceId);
      return lease && columns<LeaseColumns>(lease);
    },
    changeTask: async (id, taskNo, { runInMs, deferredForMs, ...change }: TaskChange) => {
      const task = tables.task({ executionId: id, taskNo, itemNo: 0 })!;
      Object.assign(task, change);
      if (runInMs !== undefined) task.runAt = now() + runInMs;
      if (deferredForMs !== undefined) task.deferredSince = now() - deferredForMs;
    },
    addItems: async (id, taskNo, count) => {
      const rows = tables.tasks.get(id)!;
      const head = rows[taskNo]!;
      for (let itemNo = 1; itemNo <= count; itemNo++) {
        const pending = { pendingDependencies: 0, status: 'Ready', owner: null, runAt: now() };
        rows.push({ ...head, ...pending, itemNo, claimToken: 0, startedAt: null });
      }
      const waiting = {
        status: 'Waiting',
        owner: null,
        pendingDependencies: count,
        itemCount: count,
      };
      Object.assign(head, waiting, { claimToken: head.claimToken + 1 });
    },
    deleteExecution: async (id) => {
      tables.tasks.delete(id);
      tables.executions.delete(id);
    },
    beginFinish: async (id, outcome) => {
      Object.assign(tables.executions.get(id)!, { status: 'Finishing', outcome });
    },
    askedAt: async (id, inMs) => {
      tables.executions.get(id)!.runAt = now() + inMs;
    },
    setDeadline: async (id, inMs) => {
      tables.executions.get(id)!.deadlineAt = now() + inMs;
    },
    forgetClaims: async () => undefined,
    ageKeys: async (ms) => {
      for (const [key, kept] of tables.keptKeys) {
        const { executionId, keptAt, expiresAt } = kept;
        tables.keptKeys.set(key, { executionId, keptAt: keptAt - ms, expiresAt: expiresAt - ms });
      }
    },
    heardDuring: async (work) => {
      const heard: string[] = [];
      const stop = database.listen((payload) => heard.push(payload));
      await work();
      stop();
      return heard;
    },
    empty: async () => {
      for (const rows of [tables.executions, tables.tasks, tables.steps, tables.leases])
        rows.clear();
    },
    close: async () => undefined,
  };
}

/** The row as PostgreSQL's driver would give it: with its columns' names, times as dates, and JSON parsed. */
function columns<T>(row: object): T {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]: [string, unknown]) => {
      const isTime = /(At|Since)$/.test(key) && typeof value === 'number';
      const isJson = JSON_COLUMNS.has(key) && typeof value === 'string';
      return [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        isTime ? new Date(value) : isJson ? (JSON.parse(value) as unknown) : value,
      ];
    }),
  ) as T;
}
