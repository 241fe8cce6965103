import type { TenantEngine } from '../../engine/tenant-engine.js';
import { UnreadableDefinitionError } from '../../errors/index.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import type { RunnableDefinition } from '../../engine/definitions/runnable-definition.js';
import type {
  ExecutionDetails,
  OpenItems,
  TaskKey,
  TaskRow,
  TenantProcesses,
  WorkflowPause,
} from '../../store/port/index.js';
import {
  isExecutionEnded,
  isMapLimit,
  type CheckedNumbers,
  type ExecutionStatus,
} from '../../workflow/index.js';
import { checkId } from '../call-checks.js';
import { isExecutionId } from '../execution-uuid.js';
import { LimitReader } from '../limit-reader.js';
import type { LimitState } from '../limit-state.js';
import { definitionToShow } from '../stand-in-definition.js';
import { TurnReader, type TurnState } from '../turn-reader.js';
import type { ExecutionExplanation, ServingProcess } from './explanation.js';
import type { Facts } from './facts.js';
import { MAX_TASKS, openTasks, servingProcesses, viewExplanation } from './view-explanation.js';
import { withOwnProcess } from './own-process.js';

/** Max numbers of waits, children and keys of limits that an explanation reads. */
const MAX_WAITS = 50;
const MAX_CHILDREN = 50;
const MAX_LIMIT_KEYS = 20;
/** Max number of actions on a workflow among which that of its pause is looked for. */
const MAX_ACTIONS = 20;
/** Max number of items that an explanation looks at, of all maps of the execution together. */
const MAX_ITEMS = 100_000;
/** Max number of reads until the rows of the tasks and of the processes agree. */
const MAX_LOOKS = 3;

const NO_PROCESSES: TenantProcesses = { serving: [], owners: [] };

export interface ExplainerParts {
  readonly engine: TenantEngine;
  readonly whileUnavailable: AvailabilityRetry;
}

/**
 * Explains why executions have not ended.
 *
 * One statement reads the execution with its tasks, at one moment. A few more read what these tasks wait for: at most a dozen,
 * each of a bounded size. Without open tasks there are none.
 */
export class ExecutionExplainer {
  constructor(private readonly parts: ExplainerParts) {}

  /** Null if no execution has this id. */
  async explain(id: string): Promise<ExecutionExplanation | null> {
    if (!isExecutionId(checkId(id))) return null;
    return this.parts.whileUnavailable.run(async () => {
      for (let look = 1; ; look++) {
        const facts = await this.read(id.toLowerCase());
        if (facts === null) return null;
        if (look === MAX_LOOKS || agrees(facts)) return viewExplanation(facts);
      }
    });
  }

  /** The living processes that serve the tenant, this one first. */
  async processes(): Promise<ServingProcess[]> {
    const { engine, whileUnavailable } = this.parts;
    const found = await whileUnavailable.run(() => engine.store.processes.read(''));
    const processes = withOwnProcess(engine, found, { name: '' });
    return servingProcesses({ processes, own: engine.self.facts });
  }

  private async read(id: string): Promise<Facts | null> {
    const { engine } = this.parts;
    const { store, clock } = engine;
    const [execution] = await store.details([id], false);
    if (execution === undefined) return null;
    const hasEnded = isExecutionEnded(execution.status as ExecutionStatus);
    const { definition, unreadable } = await this.definitionOf(execution);
    const { workflow } = definition;
    const tasks = hasEnded ? [] : openTasks({ execution }).slice(0, MAX_TASKS);
    const maps = tasks.filter(({ itemCount }) => itemCount !== null).map(({ taskNo }) => taskNo);
    const atEach = Math.floor(MAX_ITEMS / 2 / Math.max(1, maps.length));
    const groups = maps.length === 0 ? [] : await store.explanations.openItems(id, maps, atEach);
    const examples = examplesOf(id, groups);
    const items = examples.length === 0 ? [] : await store.explanations.items(examples);
    const rows = [...tasks, ...items];
    const messages = waiting(rows, ['signal', 'event']);
    const childIds = rows.flatMap(({ wait }) => wait?.childId ?? []).slice(0, MAX_CHILDREN);
    const { explanations, pauses } = store;
    const pause = hasEnded
      ? undefined
      : (await pauses.list()).find((one) => one.workflow === workflow.name);
    const now = clock.wallTime();
    const processes = hasEnded
      ? NO_PROCESSES
      : withOwnProcess(engine, await store.processes.read(workflow.name), workflow);
    return {
      execution: hasEnded ? { ...execution, tasks: [] } : execution,
      definition,
      unreadable,
      now,
      groups,
      atEach,
      items,
      listening: messages.length === 0 ? [] : await explanations.listening(messages),
      children: new Map(
        (childIds.length === 0 ? [] : await explanations.children(childIds)).map((child) => [
          child.id,
          child,
        ]),
      ),
      pausedBy:
        execution.status === 'Paused' ? await explanations.pausedBy(execution.id) : undefined,
      pause,
      workflowPausedBy: pause && (await this.actorOf(pause)),
      limits: await this.limitStates(limitKeys(rows, now), processes),
      turns: await this.turnStates(execution, definition),
      processes,
      own: engine.self.facts,
    };
  }

  /** Who paused the workflow, if the call named an actor. */
  private async actorOf({ workflow, pausedAt }: WorkflowPause): Promise<string | undefined> {
    const query = { subject: workflow, actor: null, before: null, limit: MAX_ACTIONS };
    const actions = await this.parts.engine.store.actions.list(query);
    return actions.find(({ kind, at }) => kind === 'workflow.paused' && at >= pausedAt)?.actor;
  }

  /** This process may not have the code, so the numbers of limits are those of the processes that have it. */
  private limitStates(
    keys: readonly string[],
    { serving }: TenantProcesses,
  ): Promise<ReadonlyMap<string, LimitState>> {
    const { store, catalog, clock } = this.parts.engine;
    const announced = serving.flatMap(({ limits }) =>
      Object.entries(JSON.parse(limits) as Record<string, CheckedNumbers>),
    );
    // The first process that has a limit counts. This one comes last, so that it wins.
    const limits = new Map([...announced.toReversed(), ...catalog.limits]);
    const reader = new LimitReader(store.limits, { limits, find: (id) => catalog.find(id) }, clock);
    return reader.statesOf(keys);
  }

  /** The numbers of an admission are part of the stored definition. */
  private turnStates(
    { turn, workflow }: ExecutionDetails,
    definition: RunnableDefinition,
  ): Promise<ReadonlyMap<string, TurnState>> {
    const { store, catalog, clock } = this.parts.engine;
    const currentOf = (name: string): RunnableDefinition | undefined =>
      catalog.currentOf(name) ?? (name === workflow ? definition : undefined);
    const reader = new TurnReader(store.admissions, { currentOf }, clock);
    return reader.statesOf(turn === null ? [] : [turn.key]);
  }

  private async definitionOf(execution: ExecutionDetails) {
    const { catalog } = this.parts.engine;
    const definition = await definitionToShow(catalog, execution, execution.tasks.length);
    const unreadable = await catalog.find(execution.definitionId).then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof UnreadableDefinitionError) return error.message;
        throw error;
      },
    );
    return { definition, unreadable };
  }
}

/** Whether the owners of all Running tasks were found. If not, a task has ended since its row was read. */
function agrees({ execution, items, processes }: Facts): boolean {
  return [...execution.tasks, ...items].every(
    ({ status, isOrphaned, owner }) =>
      status !== 'Running' ||
      isOrphaned ||
      processes.owners.some(({ instanceId }) => instanceId === owner),
  );
}

/** The first and the last item of each group. */
function examplesOf(executionId: string, groups: readonly OpenItems[]): TaskKey[] {
  return groups.flatMap(({ taskNo, first, last }) =>
    [...new Set([first, last])].map((itemNo) => ({ executionId, taskNo, itemNo })),
  );
}

function waiting(rows: readonly TaskRow[], kinds: readonly string[]): TaskRow[] {
  return rows.filter(({ wait }) => wait !== null && kinds.includes(wait.kind)).slice(0, MAX_WAITS);
}

/** The keys for which due tasks wait. */
function limitKeys(rows: readonly TaskRow[], now: number): string[] {
  const keys = rows.flatMap(({ limitKey, status, runAt, paused }) => {
    const isDue = status !== 'Running' && !paused && runAt !== null && runAt.getTime() <= now;
    return limitKey !== null && isDue ? [limitKey] : [];
  });
  const unique = [...new Set(keys)];
  return [
    ...unique.filter((key) => !isMapLimit(key)),
    ...unique.filter((key) => isMapLimit(key)),
  ].slice(0, MAX_LIMIT_KEYS);
}
