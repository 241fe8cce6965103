import { checkCallOptions } from '../errors/call-options.js';
import { checkReason } from './call-checks.js';
import { treeOf, type TreeOptions } from './execution-tree.js';

/** Options of the calls that cancel or pause something. */
export interface ReasonOptions {
  /** Why the call is made, for people: it is stored, and shown with what it has changed. Default: none. */
  reason?: string;
}

/** Options of {@link CloacinaRunner.pause}. */
export interface PauseOptions extends ReasonOptions, TreeOptions {}

const REASON_OPTIONS: ReadonlySet<string> = new Set<keyof ReasonOptions>(['reason']);
const PAUSE_OPTIONS: ReadonlySet<string> = new Set<keyof PauseOptions>(['reason', 'tree']);

/**
 * @param call - the name of the call with its parentheses
 * @returns the reason; null without one
 * @throws InvalidArgumentError for an unknown option, and a reason that cannot be stored
 */
export function checkReasonOptions(call: string, options: ReasonOptions): string | null {
  checkCallOptions(call, options, REASON_OPTIONS);
  return checkReason(options.reason);
}

/** {@link checkReasonOptions} of `pause()`. */
export function checkPauseOptions(options: PauseOptions): {
  readonly reason: string | null;
  readonly ofTree: boolean;
} {
  checkCallOptions('pause()', options, PAUSE_OPTIONS);
  return { reason: checkReason(options.reason), ofTree: treeOf(options) };
}
