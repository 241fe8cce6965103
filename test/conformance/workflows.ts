import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { lastToken } from './last-token.js';
import type {
  ClaimKey,
  Claimant,
  LeaseWrite,
  Outcome,
  Reschedule,
  StartItem,
  StartPlan,
} from '../../lib/store/port/index.js';

/** A workflow as far as the store knows one: who depends on whom. */
export interface TestWorkflow {
  readonly plan: StartPlan;
  readonly dependsOn: readonly (readonly number[])[];
  dependentsOf(taskNo: number): number[];
}

export interface WorkflowOptions {
  readonly definitionId?: string;
  readonly name?: string;
  readonly priorities?: readonly number[];
  readonly timeoutMs?: number;
}

/** `dependsOn[n]`: the tasks that task n depends on, all below n. */
export function workflow(
  dependsOn: readonly (readonly number[])[],
  { definitionId = '1', name = 'test', priorities, timeoutMs }: WorkflowOptions = {},
): TestWorkflow {
  const dependents = dependsOn.map((): number[] => []);
  for (const [taskNo, dependencies] of dependsOn.entries()) {
    for (const dependency of dependencies) dependents[dependency]?.push(taskNo);
  }
  let roots = 0;
  return {
    dependsOn,
    dependentsOf: (taskNo) => dependents[taskNo] ?? [],
    plan: {
      definitionId,
      workflow: name,
      timeoutMs: timeoutMs ?? null,
      leaves: dependents.filter((of) => of.length === 0).length,
      pendingDependencies: dependsOn.map((dependencies) => dependencies.length),
      rootOrdinals: dependsOn.map((dependencies) => (dependencies.length === 0 ? roots++ : -1)),
      priorities: dependsOn.map((_, taskNo) => priorities?.[taskNo] ?? 0),
    },
  };
}

/** Independent tasks. */
export function parallel(count: number, options?: WorkflowOptions): TestWorkflow {
  return workflow(
    Array.from({ length: count }, () => []),
    options,
  );
}

/** `count` tasks, then one that depends on them all. */
export function fanIn(count: number, options?: WorkflowOptions): TestWorkflow {
  const sources = Array.from({ length: count }, (_, taskNo) => taskNo);
  return workflow([...sources.map(() => []), sources], options);
}

/** An execution of it; unless told, with all its roots claimed. */
export function startOf(
  { plan }: Pick<TestWorkflow, 'plan'>,
  options: Partial<Omit<StartItem, 'plan'>> = {},
): StartItem {
  return {
    id: uuidv7(),
    plan,
    input: '{}',
    priority: 0,
    runAt: null,
    delayMs: null,
    startBefore: null,
    idempotencyKey: null,
    tags: null,
    limitKeys: null,
    traceContext: null,
    admission: null,
    claims: plan.pendingDependencies.length,
    hasWaiters: false,
    ...options,
  };
}

export interface OutcomeOptions extends Partial<
  Omit<Outcome, 'executionId' | 'taskNo' | 'leaf' | 'dependents'>
> {
  /** Whether dependents that become ready are claimed; default true. */
  readonly claim?: boolean;
}

/** What a task came to; unless told, Completed under the last claim of it that a session made. */
export function outcomeOf(
  { dependentsOf }: TestWorkflow,
  executionId: string,
  taskNo: number,
  { claim = true, ...options }: OutcomeOptions = {},
): Outcome {
  const dependents = dependentsOf(taskNo);
  return {
    executionId,
    taskNo,
    itemNo: 0,
    token: lastToken(executionId, taskNo),
    status: 'Completed',
    output: null,
    detail: null,
    handles: [],
    finalContext: null,
    ...options,
    leaf: dependents.length === 0,
    dependents: dependents.map((dependent) => ({ taskNo: dependent, claim })),
  };
}

/** What an item of a task came to: its one dependent is its task. */
export function itemOutcomeOf(
  { executionId, taskNo, itemNo, token }: ClaimKey,
  options: Partial<Outcome> & { readonly claim?: boolean } = {},
): Outcome {
  const { claim = true, ...outcome } = options;
  return {
    executionId,
    taskNo,
    itemNo,
    token,
    status: 'Completed',
    output: null,
    detail: null,
    handles: [],
    finalContext: null,
    leaf: false,
    dependents: [{ taskNo, claim }],
    ...outcome,
  };
}

export function failureOf(
  of: TestWorkflow,
  executionId: string,
  taskNo: number,
  options: OutcomeOptions = {},
): Outcome {
  const detail = { error: { name: 'Error', message: `task ${taskNo}` } };
  return outcomeOf(of, executionId, taskNo, { status: 'Failed', detail, ...options });
}

export function rescheduleOf(
  kind: Reschedule['kind'],
  executionId: string,
  taskNo: number,
  options: Partial<Reschedule> = {},
): Reschedule {
  const token = lastToken(executionId, taskNo);
  return {
    kind,
    executionId,
    taskNo,
    itemNo: 0,
    token,
    delayMs: 0,
    wakes: 0,
    error: undefined,
    ...options,
  };
}

export function newClaimant(): Claimant {
  return {
    instanceId: randomUUID(),
    processId: randomUUID(),
    name: 'host/1',
    lockEpoch: 'epoch',
    lockSession: '7:42',
    leaseDurationMs: 30_000,
  };
}

/** For a statement whose process holds its lease already. */
export function noLease(claimant: Claimant = newClaimant()): LeaseWrite {
  return { claimant, write: false };
}
