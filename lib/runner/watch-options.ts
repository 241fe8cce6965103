import { checkCallOptions } from '../errors/call-options.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';

/** Options of {@link CloacinaRunner.watch}. */
export interface WatchOptions {
  /** Ends the iteration when it aborts, without an error. Default: none. */
  signal?: AbortSignal;
}

const WATCH_OPTIONS: ReadonlySet<string> = new Set<keyof WatchOptions>(['signal']);

/** @throws InvalidArgumentError for an unknown option, or a signal that is not an AbortSignal */
export function checkWatchOptions(options: WatchOptions): AbortSignal | undefined {
  checkCallOptions('watch()', options, WATCH_OPTIONS);
  const { signal } = options;
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new InvalidArgumentError('signal', `must be an AbortSignal, not ${formatValue(signal)}`);
}
