/** The language of the random programs: workflows whose tasks do one durable thing after the other. */

/** Who sends the message of a wait: the test, or the task itself at the same moment as it begins to wait. */
export type Sender = 'outside' | 'itself';
export type ParentEnd = 'cancel' | 'abandon';

/** One durable point of a task, or a fault of its own. Names are unique in the program. */
export type Op =
  | {
      /**
       * - `step`, `insert`: a step that returns a new value, in a transaction of its own or not.
       * - `together`: three steps at the same time.
       * - `flaky`: the first run that comes here throws.
       * - `defer`: `deferUntil`, with a condition that is true the second time.
       * - `any`: `waitForAny` of a signal and an event, then a wait for the one that did not win.
       * - `shared`: an event that many executions wait for.
       * - `fail`: throws for good.
       */
      readonly kind: 'step' | 'insert' | 'together' | 'flaky' | 'defer' | 'any' | 'shared' | 'fail';
      readonly name: string;
    }
  | {
      /** Starts a child that sends a signal, and waits for that. */
      readonly kind: 'callback';
      readonly name: string;
    }
  | { readonly kind: 'sleep'; readonly name: string; readonly ms: number }
  | {
      /** `signal`: the next one in the mailbox that all tasks of the execution share. */
      readonly kind: 'signal' | 'event';
      readonly name: string;
      readonly from: Sender;
    }
  | {
      /** A wait with a time limit. The signal comes about then, or never. */
      readonly kind: 'timed';
      readonly name: string;
      readonly ms: number;
      readonly isSent: boolean;
    }
  | {
      readonly kind: 'child';
      readonly name: string;
      readonly program: string;
      readonly onParentEnd: ParentEnd;
      /** `shared`: an idempotency key that other executions use too. */
      readonly key: 'none' | 'own' | 'shared';
      /** Whether the task goes on if the child does not complete. */
      readonly settles: boolean;
    }
  | { readonly kind: 'children'; readonly name: string; readonly programs: readonly string[] }
  | {
      /** A child that is started and not waited for. */
      readonly kind: 'aside';
      readonly name: string;
      readonly program: string;
      readonly onParentEnd: ParentEnd;
    };

export type ProgramNode =
  | { readonly kind: 'signal'; readonly from: 'outside' }
  | { readonly kind: 'event' }
  | {
      readonly kind: 'timeout';
      readonly ms: number;
      readonly onTimeout: 'fail' | 'skip' | 'complete';
    }
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'child'; readonly program: string; readonly onParentEnd: ParentEnd };

export interface ProgramTask {
  readonly name: string;
  readonly dependsOn: readonly string[];
  /** Whether it runs whatever its dependencies came to. */
  readonly always?: boolean;
  /** Writes and starts of a transactional task commit with its outcome. Its ops are `insert` and `aside`. */
  readonly transactional?: boolean;
  readonly ops: readonly Op[];
  readonly node?: ProgramNode;
}

export interface Program {
  readonly name: string;
  /** The workflow's timeout. Such a program waits for a signal that never comes. */
  readonly timeoutMs?: number;
  readonly tasks: readonly ProgramTask[];
}

/** The input of each execution. A child's path begins with its parent's. */
export interface ProgramInput {
  readonly path: string;
  /** Of a teller: the execution and the signal that it sends. */
  readonly tell?: { readonly to: string; readonly name: string };
}

/** The workflow of the child that a `callback` starts. */
export const TELLER: Program = {
  name: 'teller',
  tasks: [{ name: 'tell', dependsOn: [], ops: [] }],
};

/** The path of the child that a point of a task starts. */
export function childPath(path: string, name: string, index?: number): string {
  return `${path}/${name}${index === undefined ? '' : `-${index}`}`;
}

/** The key of a child that several parents share. */
export function sharedKey(program: string, path: string): string {
  // Roots are numbered: three of them share a child.
  const root = Number(/^r(\d+)/.exec(path)?.[1] ?? 0);
  return `shared ${program} ${Math.floor(root / 3)}`;
}
