/** What was done to a workflow or a schedule. */
export type ActionKind =
  | 'schedule.backfilled'
  | 'schedule.created'
  | 'schedule.deleted'
  | 'schedule.paused'
  | 'schedule.resumed'
  | 'schedule.run'
  | 'schedule.updated'
  | 'workflow.paused'
  | 'workflow.resumed';

/** Who does something, and why. */
export interface ActionNote {
  /** A UUID, the same whenever the call is sent: an action with an id that is known is not recorded again. */
  readonly callId: string;
  readonly kind: ActionKind;
  readonly actor: string;
  readonly reason: string | null;
}

/** An action on its own. */
export interface NewAction extends ActionNote {
  /** The name of the workflow or schedule. */
  readonly subject: string;
  /** The execution that the action starts. */
  readonly executionId: string | null;
}

export interface ActionRecord extends Omit<NewAction, 'callId'> {
  readonly id: string;
  readonly at: Date;
}

export interface ActionQuery {
  /** Null: of all workflows and schedules. */
  readonly subject: string | null;
  /** Null: of all people. */
  readonly actor: string | null;
  /** Only those before this one; null for the newest. */
  readonly before: string | null;
  readonly limit: number;
}

/** How long actions are kept, in days. */
export const ACTION_DAYS = 400;

/** Actions of people on workflows and schedules. Changes of these record their actions in their own statements. */
export interface ActionStore {
  /** Records an action, and deletes some that are older than {@link ACTION_DAYS}. */
  record(action: NewAction): Promise<void>;
  /** The newest first. */
  list(query: ActionQuery): Promise<ActionRecord[]>;
}
