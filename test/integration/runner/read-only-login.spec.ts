import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant, poolsOf } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';

const one = defineWorkflow('one')
  .task('only', () => undefined)
  .build();
const login = `read_only_${randomBytes(5).toString('hex')}`;
let database: ScratchDatabase;

beforeAll(async () => {
  database = await createScratchDatabase();
  await database.admin.query(`CREATE ROLE ${login} LOGIN PASSWORD 'pw'`);
  await database.admin.query(`GRANT CREATE ON DATABASE ${database.name} TO ${login}`);
});
afterAll(async () => {
  await database.admin.query(`DROP OWNED BY ${login}; DROP ROLE ${login}`);
  await database.drop();
});

const boot = (schema = freshSchema()) =>
  openTenant([one], {
    databaseUrl: database.urlOf(login, 'pw'),
    schema,
    startTimeoutMs: 1_000,
  });

async function setting(whose: string, change: string): Promise<void> {
  await database.admin.query(`ALTER ${whose} ${change}`);
  await database.admin.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
    [login],
  );
}

it.each([
  ['role', () => `ROLE "${login}"`],
  ['database', () => `DATABASE "${database.name}"`],
  ['role in this database', () => `ROLE "${login}" IN DATABASE "${database.name}"`],
])(
  'A boot says at once that the %s is set to be read-only, and what to do',
  async (where, whose) => {
    await setting(whose(), 'SET default_transaction_read_only = on');
    try {
      const error: unknown = await boot().catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'PERMISSION',
        message: expect.stringContaining(
          `write: default_transaction_read_only is on for the ${where}`,
        ),
      });
      expect((error as Error).message).toContain(
        `ALTER ${whose()} RESET default_transaction_read_only`,
      );
    } finally {
      await setting(whose(), 'RESET default_transaction_read_only');
    }
  },
);

it('At work it says the same, and goes on when it may write again', async () => {
  const whose = `ROLE "${login}"`;
  const tenant = await boot();
  const { runner } = tenant;
  await runner.execute(one, {}, { settled: true });
  await setting(whose, 'SET default_transaction_read_only = on');
  // Of a start on a connection that is ending it would not be known whether it was written.
  const { statements, general } = poolsOf(tenant);
  await waitFor(() => [...statements, general].every(({ idleCount }) => idleCount === 0));
  const error: unknown = await runner.start(one).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    message: expect.stringContaining(`ALTER ${whose} RESET default_transaction_read_only`),
  });
  await setting(whose, 'RESET default_transaction_read_only');
  // On a busy machine, connections may take longer to come back than a start waits for them.
  await waitFor(async () => (await runner.execute(one)).status === 'Completed', {
    what: 'an execution',
  });
});
