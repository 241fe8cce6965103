/**
 * The database's time, as expressions that stand in the library's statements. The database's clock alone decides what is
 * due, so that processes whose clocks differ agree. A test puts functions of its own in their place, which it moves on.
 */
export interface SqlClock {
  /** When it is evaluated. Not for the end of an index range: that must not change while the statement runs. */
  readonly now: string;
  /** When the statement was sent. */
  readonly statement: string;
  /** When the transaction began: one time for all rows of a statement. */
  readonly transaction: string;
}

/** The server's own, and the one place in which SQL names it. */
export const SERVER_CLOCK: SqlClock = {
  now: 'clock_timestamp()',
  statement: 'statement_timestamp()',
  transaction: 'now()',
};
