import { expect, it } from '@jest/globals';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { isolationRoleName } from '../../../lib/tenants/admin/role-name.js';
import { start } from '../tenants/application.js';
import { createAdminDatabase } from './admin-database.js';

it('a tenant that is discovered is as much apart as where it was made', async () => {
  const database = await createAdminDatabase();
  const shared = { databaseUrl: database.adminUrl, tenants: { discover: true } };
  const [plain, isolated, own] = [database.names(), database.names(), database.names()];
  const maker = await start([], { shared: { databaseUrl: database.adminUrl } });
  await maker.tenants.add({ schema: plain.schema });
  await maker.tenants.add({ tenant: 'apart', schema: isolated.schema, isolation: 'role' });
  await maker.app.get(CloacinaAdmin).createTenant(own);

  const { tenants } = await start([], { shared });

  const whoAmI = (name: string): Promise<unknown> =>
    tenants.get(name).dataSource.query('SELECT current_user AS me');
  expect(await whoAmI(plain.schema)).toEqual([{ me: database.adminRole }]);
  expect(await whoAmI('apart')).toEqual([
    { me: isolationRoleName(database.name, isolated.schema) },
  ]);
  // Its login is not this one, whatever this one may.
  expect(tenants.list().map(({ schema }) => schema)).not.toContain(own.schema);
});
