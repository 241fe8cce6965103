import type { SqlClock } from '../../lib/store/postgres/statements/sql-clock.js';
import type { RunningClock } from '../../lib/testing/running-clock.js';

interface Queryable {
  query(text: string, values?: readonly unknown[]): Promise<unknown>;
}

/** Functions of a test database by which the library's statements go: the server's time, and what the test adds. */
export const MOVED_CLOCK: SqlClock = {
  now: 'test_clock.now()',
  statement: 'test_clock.statement()',
  transaction: 'test_clock.transaction()',
};

const functionOf = (name: keyof SqlClock, volatility: string, time: string): string =>
  `CREATE FUNCTION test_clock.${name}() RETURNS timestamptz ${volatility} LANGUAGE sql
     AS 'SELECT ${time} + moved FROM test_clock.ahead'`;

/** The clocks of a database and of a process on it, which a test moves on together. */
export class MovedClocks {
  private constructor(
    private readonly database: Queryable,
    private readonly process: RunningClock,
  ) {}

  static async install(database: Queryable, process: RunningClock): Promise<MovedClocks> {
    await database.query(
      [
        'CREATE SCHEMA test_clock',
        "CREATE TABLE test_clock.ahead AS SELECT interval '0' AS moved",
        functionOf('now', 'VOLATILE', 'clock_timestamp()'),
        functionOf('statement', 'STABLE', 'statement_timestamp()'),
        functionOf('transaction', 'STABLE', 'now()'),
      ].join(';'),
    );
    return new MovedClocks(database, process);
  }

  /** The database first: a process that looks when it is due finds it due. */
  async advance(ms: number): Promise<void> {
    await this.database.query(
      "UPDATE test_clock.ahead SET moved = moved + $1 * interval '1 millisecond'",
      [ms],
    );
    this.process.advance(ms);
  }
}
