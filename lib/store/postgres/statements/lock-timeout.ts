import { columns, text } from './columns.js';
import type { Statement } from './statement.js';

/**
 * A condition that sets lock_timeout for the statement's own transaction, once before the first row. It limits the wait for a
 * key that another transaction is inserting.
 *
 * @param parameter - milliseconds, such as `$9`
 */
export const lockTimeout = (parameter: string): string =>
  `(SELECT set_config('lock_timeout', ${parameter}::text, true)) IS NOT NULL`;

const SETTING = columns({ setting: text });
const setting = (value: string): string =>
  SETTING.select({ setting: `set_config('lock_timeout', ${value}, true)` });

/** Sets lock_timeout in the caller's transaction, unless it has one. Returns a row if it was set. */
export const boundLockWait: Statement<{ setting: string }> = {
  name: 'bound_lock_wait',
  columns: SETTING,
  text: () => `SELECT ${setting('$1::text')} WHERE current_setting('lock_timeout') = '0'`,
};

/** Removes the lock_timeout that {@link boundLockWait} set. */
export const unboundLockWait: Statement<{ setting: string }> = {
  name: 'unbound_lock_wait',
  columns: SETTING,
  text: () => `SELECT ${setting("'0'")}`,
};
