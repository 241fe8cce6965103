import {
  anything,
  callable,
  checkOptions,
  formatValue,
  type Checks,
} from '../errors/option-checks.js';
import type { NodeKind, NodeSource, TaskKind } from '../workflow/node.js';
import { MAP_OPTIONS } from './map-source.js';
import { isEvent, isSignal } from './message-definitions.js';
import type { ItemPosition, MapChildrenOptions } from './map-options.js';
import type { ChildNodeOptions, SleepOptions, WaitForOptions } from './node-options.js';
import type { TaskContext } from './task-context.js';
import { getWorkflowOptions } from './workflow-metadata.js';
import { workflowNameOf, type WorkflowRef } from './workflow-ref.js';

/** A node as a class or a builder has it, unchecked: checks run at boot. */
export interface WrittenNode {
  readonly kind: NodeKind;
  readonly options: object;
  /** Of a child: its workflow, or a function that returns it. */
  readonly workflow?: unknown;
  /** Whether it is a map with a handler: its options are joined by those of a task. */
  readonly hasHandler?: boolean;
}

/** Makes the input of a child, or the items of a map, from the context of the node. */
export type NodeInput = (context: TaskContext, from?: ItemPosition) => unknown;

/** A node that was read from the code. Without a `source`, there are problems. */
export interface DescribedNode {
  readonly source?: NodeSource;
  readonly input?: NodeInput;
  /** Sentences that begin with the owner. */
  readonly problems: readonly string[];
}

// These tables check the names of options, and what only the code knows. compileWorkflow checks the other values.
const COMMON = { name: anything, dependsOn: anything, when: anything };
const WAIT_OPTIONS: Checks<WaitForOptions> = {
  ...COMMON,
  signal: (value) =>
    isSignal(value) ? undefined : `must be a result of defineSignal(), not ${formatValue(value)}`,
  event: (value) =>
    isEvent(value) ? undefined : `must be a result of defineEvent(), not ${formatValue(value)}`,
  key: anything,
  lookback: anything,
  timeout: anything,
  onTimeout: anything,
};
const SLEEP_OPTIONS: Checks<SleepOptions> = { ...COMMON, for: anything, until: anything };
const CHILD_OPTIONS: Checks<ChildNodeOptions> = {
  ...COMMON,
  input: callable,
  output: anything,
  onParentEnd: anything,
};
const MAP_CHILDREN_OPTIONS: Checks<Omit<MapChildrenOptions, never> & { chunk?: number }> = {
  ...COMMON,
  ...MAP_OPTIONS,
  output: anything,
  onParentEnd: anything,
};
const OPTIONS = { wait: WAIT_OPTIONS, sleep: SLEEP_OPTIONS, child: CHILD_OPTIONS } as const;

/** What messages call a node. */
export const DECORATORS: Readonly<Record<TaskKind, string>> = {
  task: '@Task',
  wait: '@WaitFor',
  sleep: '@Sleep',
  child: '@Child',
  map: '@MapTask',
};

/** Reads a node. Its problems are sentences that begin with `owner`. */
export function describeNode(owner: string, node: WrittenNode): DescribedNode {
  const { kind, options, workflow } = node;
  if (kind === 'map') return describeMap(owner, node);
  const problems = checkOptions<object>(owner, options, OPTIONS[kind]);
  if (kind === 'sleep') {
    const { for: duration, until } = options as SleepOptions;
    return { source: { kind, for: duration, until }, problems };
  }
  if (kind === 'wait') {
    const { signal, event, key, lookback, timeout, onTimeout } = options as WaitForOptions;
    if (problems.length > 0) return { problems };
    const names = { signal: signal?.name, event: event?.name };
    return { source: { kind, ...names, key, lookback, timeout, onTimeout }, problems };
  }
  const { input, output, onParentEnd } = options as ChildNodeOptions;
  try {
    const name = workflowNameOf(refOf(workflow));
    const mapsInput = input !== undefined;
    return {
      source: { kind, workflow: name, output, onParentEnd, mapsInput },
      ...(typeof input === 'function' ? { input: input as NodeInput } : {}),
      problems,
    };
  } catch (error) {
    return { problems: [...problems, `${owner}: ${messageOf(error)}`] };
  }
}

function describeMap(owner: string, { options, workflow, hasHandler }: WrittenNode): DescribedNode {
  const problems = checkOptions<object>(
    owner,
    options,
    hasHandler === true ? MAP_OPTIONS : MAP_CHILDREN_OPTIONS,
  );
  const { items, ...values } = options as MapChildrenOptions & { chunk?: number };
  if (items === undefined) problems.push(`${owner} needs the option 'items', a function.`);
  const { concurrency, chunk, maxItems, collect, onItemFailure, output, onParentEnd } = values;
  const source = { concurrency, chunk, maxItems, collect, onItemFailure };
  if (problems.length > 0) return { problems };
  const input = items as NodeInput;
  if (hasHandler === true) return { source: { kind: 'map', ...source }, input, problems };
  try {
    const name = workflowNameOf(refOf(workflow));
    const ofChild = { workflow: name, output, onParentEnd };
    return { source: { kind: 'map', ...source, ...ofChild }, input, problems };
  } catch (error) {
    return { problems: [`${owner}: ${messageOf(error)}`] };
  }
}

/** The workflow of a child. A decorator has it in a function. */
function refOf(workflow: unknown): WorkflowRef {
  const isWritten = typeof workflow !== 'function' || getWorkflowOptions(workflow) !== undefined;
  return (isWritten ? workflow : Reflect.apply(workflow, undefined, [])) as WorkflowRef;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : formatValue(error);
}
