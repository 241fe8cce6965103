import { expect, it } from '@jest/globals';
import { isolationRoleName } from '../../../../lib/tenants/admin/role-name.js';

it('the role of a schema has a name of its own that PostgreSQL does not cut', () => {
  const long = 'x'.repeat(62);
  const names = [
    isolationRoleName('shop', 'tenant_acme'),
    isolationRoleName('shop', 'Tenant_acme'),
    isolationRoleName('other', 'tenant_acme'),
    isolationRoleName('shop', `${long}1`),
    isolationRoleName('shop', `${long}2`),
    isolationRoleName('shop_a', 'b'),
    isolationRoleName('shop', 'a_b'),
  ];
  expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
  for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
  expect(names[0]).toBe(isolationRoleName('shop', 'tenant_acme'));
  expect(names[0]).toMatch(/^cloacina_tenant_acme_[0-9a-f]{16}$/);
});
