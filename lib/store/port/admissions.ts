import type { CheckedAdmission } from '../../workflow/admission.js';

/** The numbers of an admission. */
export type AdmissionNumbers = Pick<CheckedAdmission, 'concurrency' | 'rate'>;

/** The slot that a start asks for. */
export interface AdmissionRequest {
  /** The stored key; see `findAdmissionKey`. */
  readonly key: string;
  /** The numbers of the running code. Those that `LimitStore.setLimit` and `setKey` have set take precedence. */
  readonly numbers: AdmissionNumbers;
  /** Whether the start creates nothing if it would have to wait. */
  readonly skips: boolean;
}

/** Which executions of a key give way to newer ones: none, those that wait, or also those that run. */
export type Supersedes = 'none' | 'waiting' | 'all';

/** A key whose waiting executions are to be admitted. */
export interface AdmissionLook {
  readonly key: string;
  readonly numbers: AdmissionNumbers;
  readonly supersedes: Supersedes;
  /** Ended executions of the key. The look clears their bit `ADMIT_NEXT`. */
  readonly ended: readonly string[];
}

/** An execution that has got its slot. Its tasks are due. */
export interface AdmittedExecution {
  readonly id: string;
  readonly key: string;
  readonly definitionId: string;
  /** Number of tasks that are due. */
  readonly tasks: number;
  /** The limit keys of those that have a limit. */
  readonly limitKeys: readonly string[];
}

/** An execution that is to be cancelled because a newer one of its key takes its place. */
export interface SupersededExecution {
  readonly id: string;
  readonly key: string;
  readonly newer: string;
}

/** A key after a look. */
export interface AdmissionFound {
  readonly key: string;
  /**
   * - `done`: no due execution waits, or all slots or tokens are taken. An end, or time, brings more.
   * - `more`: there may be more to admit, or to cancel before.
   * - `locked`: another statement admits executions of the key, or has locked one that waits.
   */
  readonly fate: 'done' | 'more' | 'locked';
  /** When the rate allows the next execution to begin, in milliseconds. Null unless the rate has stopped the look. */
  readonly tokenInMs: number | null;
}

export interface AdmissionReply {
  readonly admitted: readonly AdmittedExecution[];
  /** To be cancelled before any execution of the key is admitted. */
  readonly superseded: readonly SupersededExecution[];
  /** In the order of the request. */
  readonly keys: readonly AdmissionFound[];
}

/** A key of an admission, as it is now. */
export interface AdmissionKeyRow {
  readonly key: string;
  /** Numbers that were set for the key, or else for its workflow. Null: those of the code. */
  readonly concurrency: number | null;
  readonly rate: number | null;
  readonly rateMs: number | null;
  readonly burst: number | null;
  /** Executions that hold a slot, the oldest first. */
  readonly holders: readonly string[];
  /** Number of due executions that wait, counted up to a thousand. */
  readonly waiting: number;
  /** When the rate allows the next execution to begin, in milliseconds; at most 0 if now. Null without a rate so far. */
  readonly tokenInMs: number | null;
}

/** Which keys a read returns. */
export interface AdmissionPage {
  /** Null: of all workflows, without those of schedules. */
  readonly workflow: string | null;
  /** The key before them; null for the first one on. */
  readonly after: string | null;
  readonly count: number;
}

/** Admits whole executions, within the slots of their keys. */
export interface AdmissionStore {
  /** Call when the process knows definitions with an admission. Only then its sweeps and timers look for them. */
  use(): void;
  /** Keys with due executions that wait, in their order, from the first one behind `after` on. Null: from the first. */
  waitingKeys(after: string | null, count: number): Promise<string[]>;
  /** The keys of executions by id. Executions without one, and missing ones, have no entry. */
  keysOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Admits due executions of the keys, as far as they have free slots and tokens. */
  admit(looks: readonly AdmissionLook[]): Promise<AdmissionReply>;
  /** These keys, as far as they are known. */
  states(keys: readonly string[]): Promise<AdmissionKeyRow[]>;
  /**
   * The keys of a workflow, or of all workflows, in their order, from the first one behind `after` on. A key is known from the
   * first start that asks for a slot.
   */
  page(page: AdmissionPage): Promise<AdmissionKeyRow[]>;
}
