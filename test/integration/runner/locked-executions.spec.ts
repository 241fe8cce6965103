import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';

const noop = defineWorkflow('noop')
  .task('only', () => undefined)
  .build();

let holder: Client;
beforeEach(async () => {
  holder = await connectAdmin();
});
afterEach(() => holder.end());

/** Locks executions as an operator's `SELECT … FOR UPDATE` does, until the holder ends its transaction. */
async function lock({ schema }: OpenTenant, ids: readonly string[]): Promise<void> {
  await holder.query('BEGIN');
  await holder.query(
    `SELECT FROM ${holder.escapeIdentifier(schema)}.cloacina_workflow_execution WHERE id = ANY($1) FOR UPDATE`,
    [ids],
  );
}

describe('Executions that another session has locked', () => {
  it('hold up no others that wait to be claimed, and run when the lock is gone', async () => {
    const schema = freshSchema();
    const client = await openTenant([noop], { schema, maxConcurrentTasks: 0 });
    const handles = [];
    for (let i = 0; i < 6; i++) handles.push(await client.runner.start(noop));
    // The longest waiting: each claim would take them first.
    const locked = handles.slice(0, 3);
    await lock(
      client,
      locked.map(({ id }) => id),
    );
    const ends = handles.map((handle) => handle.result());
    let lockedEnds = 0;
    for (const end of ends.slice(0, 3)) void end.then(() => lockedEnds++);

    // Room for two at a time: what is locked must not take the places of what is free.
    await openTenant([noop], { schema, maxConcurrentTasks: 2 });
    for (const end of ends.slice(3)) expect((await end).status).toBe('Completed');
    expect(lockedEnds).toBe(0);
    await holder.query('COMMIT');
    for (const end of ends) expect((await end).status).toBe('Completed');
  });
});
