import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { tenantOptions } from '../../support/tenant-options.js';
import { armFailpoint, type Failpoint } from '../../faults/workload/failpoints.js';
import { Bell } from './bell.js';

/** A process without workflows that sends one event, and is killed while it delivers it. */

armFailpoint(JSON.parse(process.env['FAILPOINT'] ?? '{}') as Failpoint);
const host = new TenantManager(new WorkflowRegistry([]), 10);
const { runner } = await host.openTenant(tenantOptions(process.env['SCHEMA'] ?? ''));
await host.startClaiming();
await runner.emit(Bell, 'noon', { n: 1 });
