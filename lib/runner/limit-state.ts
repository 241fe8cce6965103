import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { LimitNumbers, Rate } from '../workflow/index.js';

/** A key of a limit. Without `key`, that of a limit whose tasks have no key. */
export interface LimitKeyRef {
  /** The name of the limit. */
  name: string;
  /** The value of the key. A number and its text are the same key. */
  key?: string | number;
}

/** A task that holds a slot of a limit. */
export interface LimitHolder {
  /** The id of its execution. */
  executionId: string;
  /** The name of the task. */
  task: string;
}

/** A key of a limit, as it is now. */
export interface LimitState {
  /** The name of the limit. */
  name: string;
  /** The value of the key. Absent if the tasks of the limit have no key. */
  key?: string;
  /** The number of tasks that run. Without `concurrency` they are not counted, and it is 0. */
  inUse: number;
  /** The number of tasks that may run at a time. Absent for a key of `fairKey` without a number of its own: any number. */
  concurrency?: number;
  /** How many tasks may begin in a time. Absent: any number. */
  rate?: Rate;
  /** The number of tasks of all keys of the limit that may run at a time. Absent: any number. */
  total?: number;
  /** The number of tasks of all keys of the limit that run and count for `total`. Absent without `total`. */
  totalInUse?: number;
  /** The first ten of the tasks of all keys that run and count for `total`. Absent without `total`. */
  totalHolders?: LimitHolder[];
  /** The number of tasks that this key begins in a round in which others begin one. */
  weight: number;
  /** The number of tasks that are due and wait, counted up to 1,000. */
  waiting: number;
  /** Since when the first of those that are counted has been due. Absent: none waits. */
  oldest?: Date;
  /** When the rate allows the next task to begin. Absent: now. */
  nextAt?: Date;
  /** The tasks that run. */
  holders: LimitHolder[];
}

/** Which keys {@link CloacinaLimits.list} returns. */
export interface LimitFilter {
  /** The name of a limit. Default: all limits. */
  name?: string;
  /** `true`: only keys that can begin no task now: without a free slot, also of the total, or without a token. Default: `false`. */
  full?: boolean;
  /** The size of the page, 1 to 500. Default: 50. */
  limit?: number;
  /** The `nextCursor` of the previous page. Default: the first page. */
  cursor?: string;
  /**
   * How many keys a search for full ones looks at for the page, about, 1,000 to 100,000. The page ends where the look has ended: it
   * may have fewer keys than `limit`, or none, and a `nextCursor` from which the next call goes on. Default: as many as it takes
   * to fill the page.
   */
  maxRead?: number;
}

/** A page of keys, by name and key. */
export interface LimitPage {
  /** The keys of the page. */
  items: LimitState[];
  /** The `cursor` of the next page; null on the last page. */
  nextCursor: string | null;
}

/** The numbers that {@link CloacinaLimits.set} sets. */
export type LimitSettings = {
  /** A number. `null`: that of the code again, or for a key that of its limit. Left out: unchanged. */
  [Name in keyof LimitNumbers]?: LimitNumbers[Name] | null;
} & {
  /** The key whose numbers are set. Default: those of all keys. */
  key?: string | number;
  /** The weight of the key, 1 to 1,000; only with `key`. Default: 1. */
  weight?: number | null;
};

/** A key of the admission of a workflow, as it is now. */
export interface AdmissionState {
  /** The name of the workflow. */
  workflow: string;
  /** The value of the key. Absent if all executions of the workflow share one. */
  key?: string;
  /** The number of executions that have a slot. */
  inUse: number;
  /** The number of executions that may have a slot at a time. */
  concurrency: number;
  /** How many executions may begin in a time. Absent: any number. */
  rate?: Rate;
  /** The number of executions that are due and wait for their turn, counted up to 1,000. */
  waiting: number;
  /** When the rate allows the next execution to begin. Absent: now. */
  nextAt?: Date;
  /** The ids of the executions that have a slot, the oldest first. */
  holders: string[];
}

/** Which keys {@link CloacinaLimits.listAdmissions} returns. */
export interface AdmissionFilter {
  /** A workflow. Default: all workflows with an admission. */
  workflow?: WorkflowRef;
  /** `true`: only keys without a free slot or without a token. Default: `false`. */
  full?: boolean;
  /** The size of the page, 1 to 500. Default: 50. */
  limit?: number;
  /** The `nextCursor` of the previous page. Default: the first page. */
  cursor?: string;
}

/** A page of keys, by workflow and key. */
export interface AdmissionPage {
  /** The keys of the page. */
  items: AdmissionState[];
  /** The `cursor` of the next page; null on the last page. */
  nextCursor: string | null;
}

/** The numbers that {@link CloacinaLimits.setAdmission} sets. */
export interface AdmissionSettings {
  /** The number of executions of each key that run at a time, 0 to 1,000. `null`: that of the code again. */
  concurrency?: number | null;
  /** How many executions of each key may begin in a time. `null`: that of the code again. */
  rate?: Rate | null;
  /** The key whose numbers are set. Default: those of all keys. */
  key?: string | number;
}
