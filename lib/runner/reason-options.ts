import { checkCallOptions } from '../errors/call-options.js';
import { checkActor, checkReason } from './call-checks.js';
import { treeOf, type TreeOptions } from './execution-tree.js';

/** Options of the calls that cancel or pause something. */
export interface ReasonOptions {
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

const REASON_OPTIONS: ReadonlySet<string> = new Set<keyof ReasonOptions>(['reason']);
const CANCEL_OPTIONS: ReadonlySet<string> = new Set<keyof CancelOptions>(['reason', 'actor']);
const PAUSE_OPTIONS: ReadonlySet<string> = new Set<keyof PauseOptions>(['reason', 'tree', 'actor']);
const RESUME_OPTIONS: ReadonlySet<string> = new Set<keyof ResumeExecutionOptions>([
  'tree',
  'actor',
]);

/**
 * @param call - the name of the call with its parentheses
 * @returns the reason; null without one
 * @throws InvalidArgumentError for an unknown option, and a reason that cannot be stored
 */
export function checkReasonOptions(call: string, options: ReasonOptions): string | null {
  checkCallOptions(call, options, REASON_OPTIONS);
  return checkReason(options.reason);
}

/** {@link checkReasonOptions} of `cancel()`. */
export function checkCancelOptions(options: CancelOptions): Attribution {
  checkCallOptions('cancel()', options, CANCEL_OPTIONS);
  return { reason: checkReason(options.reason), actor: checkActor(options.actor) };
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
