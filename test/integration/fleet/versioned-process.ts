import { setTimeout as delay } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import {
  type CloacinaMigration,
  cloacinaMigrations,
} from '../../../lib/store/postgres/migrations/index.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { cloacinaMigrationSet } from '../../../lib/tenants/migrations/migration-set.js';
import { tenantOptions } from '../../support/tenant-options.js';

/**
 * A process of this version of the library, or of a next one that has a migration more: VERSIONED_MIGRATION. It serves
 * VERSIONED_SCHEMA, and starts executions one after the other until it is told to stop. With VERSIONED_NODES its workflow
 * has a node, and it leaves an execution that does not end.
 */

export interface VersionedMessage {
  readonly kind: 'ready' | 'completed' | 'stopped' | 'failed';
  /** Executions that it has started and seen Completed so far. */
  readonly count?: number;
  readonly text?: string;
}

class Expand implements CloacinaMigration {
  readonly name: string = 'ExpandTaskNotes1798761600000';
  async up(queryRunner: QueryRunner): Promise<void> {
    const { schema } = queryRunner.connection.options as { schema: string };
    await queryRunner.query(`
      ALTER TABLE ${schema}.cloacina_task_execution ADD COLUMN note text;
      ALTER TABLE ${schema}.cloacina_workflow_execution ADD COLUMN notes integer NOT NULL DEFAULT 0;
      CREATE INDEX cloacina_task_execution_note_idx
        ON ${schema}.cloacina_task_execution (note) WHERE note IS NOT NULL;
      CREATE TABLE ${schema}.cloacina_note (id integer PRIMARY KEY)`);
  }
  async down(): Promise<void> {
    // is never run here
  }
}

class Contract extends Expand {
  override readonly name = 'ContractTaskNotes1798761600000';
}

const migration = process.env['VERSIONED_MIGRATION'];
if (migration !== undefined) {
  const added = migration === 'expand' ? Expand : Contract;
  (cloacinaMigrations as (new () => CloacinaMigration)[]).push(added);
  // The set was made when the library was loaded, which is one file in most runs.
  (cloacinaMigrationSet.names as string[]).push(new added().name);
}

const order = defineWorkflow('order')
  .task('reserve', () => ({ reserved: true }))
  .task('charge', () => ({ charged: true }))
  .task('ship', { dependsOn: ['reserve', 'charge'] }, () => ({ shipped: true }));
const hasNodes = process.env['VERSIONED_NODES'] !== undefined;
// A process of a build without nodes, which this file is part of too, does not have sleep().
const definition = hasNodes
  ? order.sleep('rest', { for: 5, dependsOn: ['ship'] }).build()
  : order.build();
if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
const { registered } = describeDefinition({ definition, module: 'Versioned' });
if (registered === undefined) throw new Error('The workflow has a mistake.');

function tell(message: VersionedMessage): void {
  process.send?.(message);
}

async function serve(schema: string): Promise<void> {
  const host = new TenantManager(new WorkflowRegistry([registered!]), 100);
  const { runner } = await host.openTenant(
    tenantOptions(schema, { poolSize: 6, shutdownTimeoutMs: 10_000, startTimeoutMs: 30_000 }),
  );
  await host.startClaiming();
  if (hasNodes) await runner.start('order', {}, { delay: '1d' });
  const stop = new AbortController();
  process.on('message', () => stop.abort());
  tell({ kind: 'ready' });
  let count = 0;
  const start = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const { status, error } = await runner.execute(
        'order',
        { by: process.pid },
        { settled: true },
      );
      if (status !== 'Completed') throw new Error(`${status}: ${error?.message}`);
      tell({ kind: 'completed', count: ++count });
      // Work goes on all the while, and leaves the processor to those that boot.
      await delay(100);
    }
  };
  await Promise.all([start(), start()]);
  await host.close();
  tell({ kind: 'stopped', count });
}

await serve(process.env['VERSIONED_SCHEMA'] ?? '').catch((error: unknown) => {
  tell({ kind: 'failed', text: String(error instanceof Error ? error.stack : error) });
});
process.disconnect();
