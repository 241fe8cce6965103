/**
 * The database's time, as SQL expressions for the library's statements. Only the database's clock determines what is due,
 * so that processes with different clocks agree. Tests replace the expressions with functions whose time they control.
 */
export interface SqlClock {
  /** Time of evaluation. Not for the end of an index range, which must not change while the statement runs. */
  readonly now: string;
  /** Start of the statement. */
  readonly statement: string;
  /** Start of the transaction, so it is the same for all rows of a statement. */
  readonly transaction: string;
}

/** The server's clock. No other code names these functions in SQL. */
export const SERVER_CLOCK: SqlClock = {
  now: 'clock_timestamp()',
  statement: 'statement_timestamp()',
  transaction: 'now()',
};
