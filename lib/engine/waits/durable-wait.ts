import type { StepDue, StepKind, StepRecord, StepReply, StepRow } from '../../store/port/index.js';
import type { StepName } from './step-name.js';

/**
 * A wait of a task that survives its process: its checkpoint is stored as open, then the task looks for what it waits for,
 * and if it is not there the task gives up its claim until it is woken or the time is over.
 *
 * It must be stored before the look. A sender of what the task waits for stores it first and then looks for open
 * checkpoints, so at least one of the two sees the other.
 */
export interface DurableWait<T> {
  readonly kind: Exclude<StepKind, 'step'>;
  readonly name: StepName;
  /** When the wait is over by itself. Null: never. */
  readonly due: StepDue | null;
  /** The status of a wait that is over by itself. */
  readonly whenDue: 'Done' | 'TimedOut';
  /** What other statements find the open checkpoint by. Null: nothing but its time ends the wait. */
  readonly listensFor: StepRecord['listensFor'];
  /**
   * Whether the open checkpoint listens for what this wait is for. If a later release of the code has changed that, the wait
   * is opened again, until the time that it had. Default: true.
   *
   * @param stored - all checkpoints of the task
   */
  isFor?(found: StepRow, stored: ReadonlyMap<string, StepRow>): boolean;
  /** Stores the open checkpoint together with something else, such as the execution that a child step starts. */
  open?(record: StepRecord): Promise<StepReply | undefined>;
  /**
   * Looks for what the wait is for, and if it is there ends the checkpoint and returns its row. Called after the checkpoint
   * is stored, in the run that opens it and in each run that finds it open.
   *
   * @param found - the open checkpoint; undefined in the run that opened it
   */
  look?(found: StepRow | undefined): Promise<StepRow | undefined>;
  /** Ends what belongs to the wait besides its checkpoint. Called before a wait whose time is over ends. */
  timedOut?(): Promise<void>;
  /** Whether the handler continues only when all such waits of the run are over. Default: each one wakes the task. */
  readonly joins?: boolean;
  /** The value of a wait that is over, or the error that it throws. */
  valueOf(row: StepRow): T | Promise<T>;
}
