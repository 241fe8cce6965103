import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';

let attempts = 0;
let work: (context: TaskContext) => unknown = () => undefined;
const run = (context: TaskContext): object | undefined => {
  attempts++;
  return work(context) as object | undefined;
};
const plain = defineWorkflow('plain')
  .task('only', { retry: { maxAttempts: 2, delay: 1 } }, run)
  .build();
const transactional = defineWorkflow('transactional')
  .task('only', { transactional: true, retry: { maxAttempts: 2, delay: 1 } }, run)
  .build();

let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant([plain, transactional]);
  // What a database of another encoding says of characters that it lacks, at whatever column they are meant for.
  await tenant.query(
    `CREATE FUNCTION ascii_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF to_jsonb(NEW)::text ~ '[^ -~]' THEN
         RAISE 'character has no equivalent in encoding "SQL_ASCII"' USING ERRCODE = '22P05';
       END IF;
       RETURN NEW;
     END $$;
     CREATE TRIGGER ascii_only BEFORE INSERT OR UPDATE ON cloacina_task_execution FOR EACH ROW EXECUTE FUNCTION ascii_only();
     CREATE TRIGGER ascii_only BEFORE INSERT OR UPDATE ON cloacina_execution_event FOR EACH ROW EXECUTE FUNCTION ascii_only()`,
  );
});

describe.each([
  ['plain', plain],
  ['transactional', transactional],
] as const)('In a database that lacks a character: a %s task', (_name, workflow) => {
  it('that fails with it is tried again, and Failed with its message in ASCII', async () => {
    attempts = 0;
    work = () => {
      throw new Error('costs 5 €');
    };
    const { status, error, tasks } = await tenant.runner.execute(workflow, {}, { settled: true });
    expect([status, attempts, tasks[0]?.attempt]).toEqual(['Failed', 2, 2]);
    expect(error).toMatchObject({ name: 'Error', message: 'costs 5 \\u20ac' });
    const shown = await tenant.runner.list({ status: 'Failed' });
    expect(shown.items[0]?.error).toEqual(error);
  });

  it('that returns it is Failed, and what it wrote is gone', async () => {
    attempts = 0;
    work = () => ({ price: '5 €' });
    const { status, error, context } = await tenant.runner.execute(
      workflow,
      { given: 1 },
      { settled: true },
    );
    expect([status, attempts, context]).toEqual(['Failed', 1, { given: 1 }]);
    expect(error?.message).toContain('has no equivalent');
  });
});
