import type { Workload } from '../workload/workload.js';

/** Statements that write to the library's tables fail, until it is stopped. */
export interface RaisedErrors {
  /** How many have failed. */
  stop(): Promise<number>;
}

const TABLES = ['task_execution', 'workflow_execution', 'runner_lease', 'execution_event'];

/**
 * As a server does that is out of something: each writing statement raises that SQLSTATE. A sequence counts them, since
 * it is not rolled back.
 */
const INSTALL = `
CREATE SEQUENCE raised_errors;
CREATE FUNCTION raise_error() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM nextval('raised_errors');
  RAISE EXCEPTION 'raised by the fault test' USING ERRCODE = TG_ARGV[0];
END $$;`;

export async function raiseErrors(workload: Workload, code: string): Promise<RaisedErrors> {
  const triggers = TABLES.map(
    (table) => `CREATE TRIGGER raise_error BEFORE INSERT OR UPDATE OR DELETE ON cloacina_${table}
      FOR EACH STATEMENT EXECUTE FUNCTION raise_error('${code}');`,
  );
  await workload.query(`${INSTALL}${triggers.join('')}`);
  return {
    async stop() {
      const drops = TABLES.map((table) => `DROP TRIGGER raise_error ON cloacina_${table};`);
      await workload.query(drops.join(''));
      const [row] = await workload.query<{ count: number }>(
        'SELECT last_value::integer AS count FROM raised_errors',
      );
      return row?.count ?? 0;
    },
  };
}
