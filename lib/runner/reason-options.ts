import { checkCallOptions } from '../errors/call-options.js';
import { checkActor, checkReason } from './call-checks.js';
import { treeOf, type TreeOptions } from './execution-tree.js';

/** Who makes a call. */
export interface ActorOptions {
  /**
   * Who makes the call, for people, such as a name or a mail address. It is stored: in the history of the execution, and for
   * calls on workflows and schedules among {@link CloacinaRunner.actions}. Default: none.
   */
  actor?: string;
}

/** Options of the calls that cancel or pause something. */
export interface ReasonOptions extends ActorOptions {
  /** Why the call is made, for people: it is stored, and shown with what it has changed. Default: none. */
  reason?: string;
}

/** Options of {@link CloacinaRunner.cancel}. */
export interface CancelOptions extends ReasonOptions {
  /** Who makes the call, for people: it is stored in the history of the execution. Default: none. */
  actor?: string;
}

/** Options of {@link CloacinaRunner.pause}. */
export interface PauseOptions extends CancelOptions, TreeOptions {}

/** Options of {@link CloacinaRunner.resume}. */
export interface ResumeExecutionOptions extends TreeOptions {
  /** As for {@link CloacinaRunner.cancel}. */
  actor?: string;
}

/** Why a call is made, and by whom. */
export interface Attribution {
  readonly reason: string | null;
  readonly actor: string | null;
}

const ACTOR_OPTIONS: ReadonlySet<string> = new Set<keyof ActorOptions>(['actor']);
const REASON_OPTIONS: ReadonlySet<string> = new Set<keyof ReasonOptions>(['reason', 'actor']);
const PAUSE_OPTIONS: ReadonlySet<string> = new Set<keyof PauseOptions>(['reason', 'tree', 'actor']);
const RESUME_OPTIONS: ReadonlySet<string> = new Set<keyof ResumeExecutionOptions>([
  'tree',
  'actor',
]);

/**
 * @param call - the name of the call with its parentheses
 * @throws InvalidArgumentError for an unknown option, and a reason or an actor that cannot be stored
 */
export function checkReasonOptions(call: string, options: ReasonOptions): Attribution {
  checkCallOptions(call, options, REASON_OPTIONS);
  return { reason: checkReason(options.reason), actor: checkActor(options.actor) };
}

/**
 * @param call - as for {@link checkReasonOptions}
 * @returns the actor; null without one
 */
export function checkActorOptions(call: string, options: ActorOptions): string | null {
  checkCallOptions(call, options, ACTOR_OPTIONS);
  return checkActor(options.actor);
}

/** {@link checkReasonOptions} of `resume()`. */
export function checkResumeOptions(options: ResumeExecutionOptions): {
  readonly actor: string | null;
  readonly ofTree: boolean;
} {
  checkCallOptions('resume()', options, RESUME_OPTIONS);
  return { actor: checkActor(options.actor), ofTree: treeOf(options) };
}

/** {@link checkReasonOptions} of `pause()`. */
export function checkPauseOptions(options: PauseOptions): {
  readonly by: Attribution;
  readonly ofTree: boolean;
} {
  checkCallOptions('pause()', options, PAUSE_OPTIONS);
  const by = { reason: checkReason(options.reason), actor: checkActor(options.actor) };
  return { by, ofTree: treeOf(options) };
}
