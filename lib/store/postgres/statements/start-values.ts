import { jsonColumn, plainArray } from './encoding.js';
import { leaseValues } from './lease-clause.js';
import type { Claimant, StartItem, StartPlan } from '../../port/index.js';

/** The parameters of the statements, without tags and lock timeout. */
export function startValues(
  items: readonly StartItem[],
  claimant: Claimant,
  writeLease: boolean,
  batchNo: number,
): unknown[] {
  const { values, plans } = startColumns(items);
  return [
    ...values,
    ...leaseValues(claimant, writeLease),
    batchNo,
    ...claimedRoots(items),
    plainArray(plans.map(({ definitionId }) => definitionId)),
  ];
}

/** The first sixteen of them, which describe the executions and their tasks, and the plans that occur. */
export function startColumns(items: readonly StartItem[]): {
  readonly values: unknown[];
  readonly plans: readonly StartPlan[];
} {
  const firstTasks = new Map<StartPlan, number>();
  const pending: number[] = [];
  const roots: number[] = [];
  const priorities: number[] = [];
  for (const { plan } of items) {
    if (firstTasks.has(plan)) continue;
    // Array subscripts in PostgreSQL begin at 1.
    firstTasks.set(plan, pending.length + 1);
    for (let no = 0; no < plan.priorities.length; no++) {
      pending.push(plan.pendingDependencies[no] ?? 0);
      roots.push(plan.rootOrdinals[no] ?? -1);
      priorities.push(plan.priorities[no] ?? 0);
    }
  }
  const values = [
    plainArray(items.map((item) => item.id)),
    plainArray(items.map((item) => item.plan.definitionId)),
    JSON.stringify(items.map((item) => item.plan.workflow)),
    jsonColumn(items.map((item) => item.input)),
    plainArray(items.map((item) => item.priority)),
    JSON.stringify(items.map((item) => item.runAt)),
    plainArray(items.map((item) => item.delayMs)),
    plainArray(items.map((item) => item.claims)),
    plainArray(items.map((item) => item.plan.leaves)),
    plainArray(items.map((item) => item.plan.timeoutMs)),
    plainArray(items.map((item) => firstTasks.get(item.plan))),
    plainArray(items.map((item) => item.plan.priorities.length)),
    JSON.stringify(items.map((item) => item.idempotencyKey)),
    plainArray(pending),
    plainArray(roots),
    plainArray(priorities),
  ];
  return { values, plans: [...firstTasks.keys()] };
}

/** The parameters with the labels of the executions, for statements that have them in all variants. */
export function labelColumns(items: readonly StartItem[]): {
  readonly tags: unknown;
  readonly limitKeys: unknown;
  readonly admissionKeys: unknown;
  readonly traces: unknown;
} {
  return {
    tags: jsonColumn(items.map(({ tags }) => tags)),
    limitKeys: jsonColumn(items.map(({ limitKeys }) => limitKeys)),
    admissionKeys: JSON.stringify(items.map(({ admission }) => admission?.key ?? null)),
    traces: JSON.stringify(items.map(({ traceContext }) => traceContext)),
  };
}

/** Number of root tasks that the start claims if it creates the execution. */
export function rootClaimsOf({ plan, claims }: StartItem): number {
  return plan.rootOrdinals.filter((root) => root >= 0 && root < claims).length;
}

/** The root tasks that the statement claims, if it creates their executions: executions, and task numbers. */
function claimedRoots(items: readonly StartItem[]): [string, string] {
  const ids: string[] = [];
  const tasks: number[] = [];
  for (const { id, plan, claims } of items) {
    for (const [taskNo, root] of plan.rootOrdinals.entries()) {
      if (root < 0 || root >= claims) continue;
      ids.push(id);
      tasks.push(taskNo);
    }
  }
  return [plainArray(ids), plainArray(tasks)];
}
