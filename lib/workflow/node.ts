import type { Duration } from './duration.js';
import type { MapNode, MapSource } from './map-node.js';
import type { ParentEnd } from './parent-end.js';

export type { ParentEnd } from './parent-end.js';

/**
 * What a task of the graph is: a task has a handler in the code, and the library runs the other kinds itself. A map has a
 * handler for its items.
 */
export type TaskKind = 'task' | NodeKind;
/** The kinds of tasks that the library runs itself: waits for messages, sleeps, children and maps. */
export type NodeKind = 'wait' | 'sleep' | 'child' | 'map';

/**
 * What becomes of a wait whose timeout is over: it is Failed with a SignalTimeoutError, Skipped, or Completed without a
 * payload.
 */
export type TimeoutOutcome = 'fail' | 'skip' | 'complete';

/** A node before its checks. */
export type NodeSource =
  | {
      readonly kind: 'wait';
      /** The name of a signal. A wait has a signal or an event. */
      readonly signal?: string | undefined;
      /** The name of an event. */
      readonly event?: string | undefined;
      /** The context key whose value is the key of the event. */
      readonly key?: string | undefined;
      /** How old the event may be. Default: as old as the execution. */
      readonly lookback?: Duration | undefined;
      /** The longest wait. Default: no limit. */
      readonly timeout?: Duration | undefined;
      readonly onTimeout?: TimeoutOutcome | undefined;
    }
  | {
      readonly kind: 'sleep';
      /** The time to sleep. A sleep has this or `until`. */
      readonly for?: Duration | undefined;
      /** The context key whose value is the time at which the sleep ends. */
      readonly until?: string | undefined;
    }
  | {
      readonly kind: 'child';
      /** The name of the child's workflow. */
      readonly workflow: string;
      /** The key of the child's context that is stored. Default: the whole context. */
      readonly output?: string | undefined;
      readonly onParentEnd?: ParentEnd | undefined;
      /** Whether a function of the code makes the child's input. Otherwise it is the context that the node sees. */
      readonly mapsInput?: boolean | undefined;
    }
  | MapSource;

/** A checked wait for a signal, or for an event with a key. Without a timeout it waits forever. */
export type WaitNode = {
  readonly kind: 'wait';
  readonly timeoutMs?: number;
  readonly onTimeout?: TimeoutOutcome;
} & (
  | { readonly signal: string; readonly event?: undefined }
  | {
      readonly event: string;
      readonly key: string;
      readonly lookbackMs?: number;
      readonly signal?: undefined;
    }
);

/** A checked sleep. */
export type SleepNode =
  | { readonly kind: 'sleep'; readonly forMs: number; readonly until?: undefined }
  | { readonly kind: 'sleep'; readonly until: string; readonly forMs?: undefined };

/** A checked child. */
export interface ChildNode {
  /** The kind of the node. */
  readonly kind: 'child';
  /** The name of the child's workflow. */
  readonly workflow: string;
  /** The key of the child's context that is stored. Absent: the whole context. */
  readonly output?: string;
  /** What happens to the child if it has not ended when this execution is Cancelled or Failed. */
  readonly onParentEnd: ParentEnd;
  /** Whether a function of the code makes the child's input. Otherwise it is the context that the node sees. */
  readonly mapsInput: boolean;
}

/** A checked node, as it is hashed and stored: plain JSON, without members that are undefined. */
export type TaskNode = WaitNode | SleepNode | ChildNode | MapNode;
