import { afterEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ConnectionGroup } from '../../../lib/tenants/hosting/connection-group.js';
import { FoundSchemas } from '../../../lib/tenants/hosting/found-schemas.js';
import { TenantDiscovery } from '../../../lib/tenants/hosting/tenant-discovery.js';
import type { TenantRuntime } from '../../../lib/tenants/hosting/tenant-runtime.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

afterEach(() => void jest.restoreAllMocks());

it('does not take a schema for dropped that waits for its server to be made', async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  // The server is back, and has no schema yet.
  const general = { query: async () => ({ rows: [] }) };
  const clocks = { process: new ManualClock() };
  const group = { clocks, pools: { general } } as unknown as ConnectionGroup;
  const served = (name: string, more = {}): TenantRuntime =>
    ({ group, tenant: { name, schema: name }, ...more }) as unknown as TenantRuntime;
  const removed: string[] = [];
  const discovery = new TenantDiscovery({
    group,
    settings: { databaseUrl: 'postgres://db.internal/shop' },
    server: 'us',
    found: new FoundSchemas(['us']),
    inUse: { onSchema: () => undefined },
    runtime: () => [served('waiting', { arrival: { isAway: true } }), served('dropped')],
    open: async () => false,
    remove: async (name) => void removed.push(name),
  });
  await discovery.lookOnce();
  expect(removed).toEqual(['dropped']);
});
