import { queryIn } from '../../support/open-tenant.js';

/** What the server says of a transaction that lost a race: nothing was written, try again. */
export const CONFLICTS = { deadlock: '40P01', 'serialization failure': '40001' } as const;

const TABLES = [
  'workflow_definition',
  'workflow_execution',
  'task_execution',
  'execution_event',
  'recovery_event',
  'runner_lease',
  'state',
];

/** Statements that fail, whoever sends them: the server itself raises the error in the middle of them. */
export class StatementFaults {
  private planned = 0;

  private constructor(private readonly schema: string) {}

  /** On a schema that has been migrated. */
  static async install(schema: string): Promise<StatementFaults> {
    await queryIn(
      schema,
      `CREATE TABLE fault (part text, code text, times integer, counter regclass);
       CREATE FUNCTION raise_fault() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
       DECLARE planned record;
       BEGIN
         FOR planned IN SELECT * FROM fault LOOP
           -- A counter that no rollback takes back.
           IF position(planned.part IN current_query()) > 0 AND nextval(planned.counter) <= planned.times THEN
             RAISE EXCEPTION 'injected' USING ERRCODE = planned.code;
           END IF;
         END LOOP;
         RETURN NULL;
       END $$;
       ${TABLES.map(
         (
           table,
         ) => `CREATE TRIGGER raise_fault BEFORE INSERT OR UPDATE OR DELETE ON cloacina_${table}
           FOR EACH STATEMENT EXECUTE FUNCTION raise_fault();`,
       ).join('\n')}`,
    );
    return new StatementFaults(schema);
  }

  /** The next `times` statements that have `part` in their text fail with this SQLSTATE, and no others any more. */
  async plan(part: string, code: string, times: number): Promise<void> {
    const counter = `fault_${++this.planned}`;
    await queryIn(this.schema, `DELETE FROM fault; CREATE SEQUENCE ${counter}`);
    await queryIn(this.schema, `INSERT INTO fault VALUES ($1, $2, $3, to_regclass('${counter}'))`, [
      part,
      code,
      times,
    ]);
  }

  /** How many of those that were planned last have been raised. */
  async raised(): Promise<number> {
    const counter = `fault_${this.planned}`;
    const [row] = await queryIn<{ count: number }>(
      this.schema,
      `SELECT least(f.times, CASE WHEN c.is_called THEN c.last_value ELSE 0 END)::integer AS count
       FROM fault f, ${counter} c WHERE f.counter = to_regclass('${counter}')`,
    );
    return row?.count ?? 0;
  }
}
