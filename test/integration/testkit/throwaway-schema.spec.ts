import { expect, it } from '@jest/globals';
import { CloacinaRunner, defineWorkflow } from 'nestjs-cloacina';
import { cloacinaMatchers, createTestingTenant } from 'nestjs-cloacina/testing';
import { connectAdmin } from '../../support/postgres.js';

expect.extend(cloacinaMatchers);

const SCHEMAS = `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cloacina\\_test\\_%'`;

it('drops the schemas of a test on PostgreSQL whose boot fails', async () => {
  const admin = await connectAdmin();
  try {
    let before: unknown[] = [];
    const failing = {
      provide: 'failing',
      inject: [CloacinaRunner],
      useFactory: async () => {
        before = (await admin.query(SCHEMAS)).rows;
        throw new Error('This part does not boot.');
      },
    };
    const booting = createTestingTenant({ store: 'postgres', providers: [failing] });
    await expect(booting).rejects.toThrow('This part does not boot.');
    expect(before).toHaveLength(2);
    expect((await admin.query(SCHEMAS)).rows).toEqual([]);
  } finally {
    await admin.end();
  }
});

it('drops the schemas of a test on PostgreSQL, also after a crash in a transaction', async () => {
  const admin = await connectAdmin();
  try {
    let runs = 0;
    const writing = defineWorkflow('writing')
      .task('write', { transactional: true }, async ({ manager }) => {
        runs++;
        await manager.query('CREATE TABLE IF NOT EXISTS written (run integer)');
        await manager.query('INSERT INTO written VALUES ($1)', [runs]);
      })
      .build();
    const tenant = await createTestingTenant({ store: 'postgres', workflows: [writing] });
    await tenant.crash({ after: 'handler', task: 'write' });
    const { id } = await tenant.runner.start(writing);
    await tenant.drain();
    await tenant.restart();
    expect(await tenant.time.advanceUntil(id)).toHaveCompleted();
    const { schema } = tenant.runner;
    // The first run was rolled back.
    expect((await admin.query(`SELECT run FROM ${schema}.written`)).rows).toEqual([{ run: 2 }]);
    expect((await admin.query(SCHEMAS)).rows).toHaveLength(2);
    await tenant.close();
    expect((await admin.query(SCHEMAS)).rows).toEqual([]);
    const { rows } = await admin.query(
      `SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    expect(rows).toEqual([]);
  } finally {
    await admin.end();
  }
});
