import { describe, expect, it } from '@jest/globals';
import { checkTenants, resolveTenantOptions } from '../../../lib/options/index.js';
import { databaseKey } from '../../../lib/store/postgres/connections/connection-config.js';

const tenant = (name: string, schema: string, databaseUrl = 'postgres://u:p@host/db') => {
  const result = resolveTenantOptions({ tenant: name, schema, databaseUrl });
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.options;
};

describe('checkTenants', () => {
  it('has nothing against tenants that differ, nor one schema name on two databases', () => {
    expect(
      checkTenants([
        tenant('a', 'a'),
        tenant('b', 'b'),
        tenant('c', 'a', 'postgres://u:p@other/db'),
      ]),
    ).toEqual([]);
  });

  it('reports two tenants of one name, once', () => {
    expect(checkTenants([tenant('a', 'a'), tenant('a', 'a'), tenant('a', 'b')])).toEqual([
      expect.stringMatching(/^There are 3 tenants named "a"\. /),
    ]);
  });

  it('reports names and schemas that differ in case only', () => {
    expect(checkTenants([tenant('Acme', 'one'), tenant('acme', 'two')])).toEqual([
      'The tenants "Acme" and "acme" differ only in case. Rename one of them.',
    ]);
    expect(checkTenants([tenant('a', 'Acme'), tenant('b', 'acme')])).toEqual([
      'The tenants "a" and "b" are on schemas that differ only in case: "Acme" and "acme". Rename one of them.',
    ]);
  });

  it('reports two tenants on one schema, however the database is written', () => {
    const urls = [
      'postgres://u:p@HOST:5432/db',
      'postgresql://other:secret@host/db?sslmode=require',
    ];
    expect(checkTenants([tenant('a', 's', urls[0]), tenant('b', 's', urls[1])])).toEqual([
      'The tenants "a" and "b" are on one schema, "s", of one database. Give each its own.',
    ]);
  });
});

describe('databaseKey', () => {
  it.each([
    ['postgres://u:p@Host/db', {}, 'host:5432/db'],
    ['postgres://u:p@host:6432/d%20b', {}, 'host:6432/d b'],
    ['postgres://user@host', {}, 'host:5432/user'],
    ['postgres://u:p@/db?host=/run/pg', {}, '/run/pg:5432/db'],
    [undefined, { host: 'h', port: 1, database: 'd' }, 'h:1/d'],
    [undefined, { url: 'postgres://h/d' }, 'h:5432/d'],
    ['postgres://h/d', { database: 'e' }, 'h:5432/e'],
    ['postgres://u@[::1]/d', {}, '::1:5432/d'],
    ['postgres://u@h/d', { host: '[::1]' }, '::1:5432/d'],
    ['socket:/run/pg?db=d', {}, '/run/pg:5432/d'],
    ['postgres://h/d?sslrootcert=/no/such/file', {}, 'h:5432/d'],
  ])('of %p with %p', (url, connection, key) => {
    expect(databaseKey({ databaseUrl: url, connection }, {})).toBe(key);
  });
});
