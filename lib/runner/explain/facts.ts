import type { RunnableDefinition } from '../../engine/definitions/runnable-definition.js';
import type { OwnFacts } from '../../engine/own-process.js';
import type {
  AwaitedChild,
  ExecutionDetails,
  ListeningWait,
  OpenItems,
  TaskKey,
  TaskRow,
  TenantProcesses,
  WorkflowPause,
} from '../../store/port/index.js';
import type { LimitState } from '../limit-state.js';
import type { TurnState } from '../turn-reader.js';

/** Everything that an explanation follows from. */
export interface Facts {
  readonly execution: ExecutionDetails;
  readonly definition: RunnableDefinition;
  /** Why this release can't use the definition of the execution; `definition` is a stand-in then. */
  readonly unreadable: string | undefined;
  /** The time of day, in milliseconds since 1970. */
  readonly now: number;
  readonly processes: TenantProcesses;
  readonly own: OwnFacts;
  /** Who paused the execution. */
  readonly pausedBy: string | undefined;
  readonly pause: WorkflowPause | undefined;
  /** Who paused the workflow. */
  readonly workflowPausedBy: string | undefined;
  /** The keys of limits, by their stored forms. */
  readonly limits: ReadonlyMap<string, LimitState>;
  readonly turns: ReadonlyMap<string, TurnState>;
  readonly groups: readonly OpenItems[];
  /** How many of the first items of each map are in the groups, and how many of the last. */
  readonly atEach: number;
  /** The items that stand for the groups. */
  readonly items: readonly TaskRow[];
  readonly listening: readonly ListeningWait[];
  readonly children: ReadonlyMap<string, AwaitedChild>;
}

/** Whether both are the same task or item of one execution. */
export function isSameTask(
  a: Pick<TaskKey, 'taskNo' | 'itemNo'>,
  b: Pick<TaskKey, 'taskNo' | 'itemNo'>,
): boolean {
  return a.taskNo === b.taskNo && a.itemNo === b.itemNo;
}

/** The property if the value is there. For properties that are absent rather than undefined. */
export function given<K extends string, V>(key: K, value: V | null | undefined): { [P in K]?: V } {
  return value === null || value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
