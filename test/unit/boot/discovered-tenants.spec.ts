import { describe, expect, it } from '@jest/globals';
import type { ConfigurationCheck } from '../../../lib/boot/configuration-check.js';
import { discoveredOptions } from '../../../lib/boot/discovered-tenants.js';
import type { DiscoverTenant } from '../../../lib/cloacina.callbacks.js';
import { resolveTenantOptions, type ResolvedTenantOptions } from '../../../lib/options/index.js';

const SHARED = { databaseUrl: 'postgres://localhost/shop', isolation: 'schema' } as const;

/** What the tenant is served with, which another process has given a role of its own, or not. */
async function served(
  isolation: 'schema' | 'role',
  discover: DiscoverTenant,
): Promise<ResolvedTenantOptions | undefined> {
  const boot = {
    shared: { discover },
    admit: (options: Parameters<typeof resolveTenantOptions>[0]) => {
      const resolution = resolveTenantOptions(options, SHARED);
      if (!resolution.ok) throw new Error(resolution.problems.join());
      return resolution.options;
    },
  } as unknown as ConfigurationCheck;
  return discoveredOptions({ schema: 'tenant_acme', tenant: 'acme', isolation }, boot);
}

describe('the isolation of a discovered tenant', () => {
  it.each<[string, ReturnType<DiscoverTenant>]>([
    ['nothing of it', {}],
    ['undefined, as a condition does', { isolation: undefined }],
    ['less', { isolation: 'schema' }],
  ])('stays a role where the function says %s', async (_, own) => {
    expect(await served('role', () => own)).toMatchObject({ isolation: 'role' });
  });

  it('is what the function says where no process gave it a role', async () => {
    expect(await served('schema', () => ({ isolation: 'role' }))).toMatchObject({
      isolation: 'role',
    });
    expect(await served('schema', () => ({}))).toMatchObject({ isolation: 'schema' });
  });
});
