import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  connectionConfig,
  type ConnectionSource,
} from '../../../../lib/store/postgres/connections/connection-config.js';
import { connectionStringFor } from '../../../../lib/tenants/admin/connection-string.js';

const LOGIN = { database: 'shop', username: 'acme', password: 'p' };

/** By the way on which the admin is connected. */
function stringBy(admin: ConnectionSource, login = LOGIN): string {
  const client = new pg.Client(connectionConfig(admin));
  return connectionStringFor(client, login, admin.connection?.url ?? admin.databaseUrl);
}

describe('the connection string of a tenant', () => {
  it.each<[string, ConnectionSource, string]>([
    [
      'a URL',
      { databaseUrl: 'postgres://admin:secret@db.example:6000/shop' },
      'postgres://acme:p@db.example:6000/shop',
    ],
    [
      'a URL without a port',
      { databaseUrl: 'postgresql://admin:secret@db.example/other' },
      'postgres://acme:p@db.example:5432/shop',
    ],
    [
      'a URL with parameters: those of the login are left out',
      {
        databaseUrl:
          'postgres://admin:secret@db.example/shop?sslmode=disable&options=-c%20role%3Downer&application_name=x&connect_timeout=5',
      },
      'postgres://acme:p@db.example:5432/shop?sslmode=disable&connect_timeout=5',
    ],
    [
      'an address of IPv6',
      { databaseUrl: 'postgres://admin:secret@[::1]:5433/shop' },
      'postgres://acme:p@[::1]:5433/shop',
    ],
    [
      'a socket',
      { databaseUrl: 'postgres://admin:secret@/shop?host=/run/pg' },
      'postgres://acme:p@/shop?host=%2Frun%2Fpg',
    ],
    [
      "TypeORM's options",
      {
        connection: {
          host: 'db.example',
          port: 6000,
          username: 'admin',
          password: 'secret',
          database: 'shop',
        },
      },
      'postgres://acme:p@db.example:6000/shop',
    ],
  ])('follows %s', (_what, admin, expected) => {
    const made = stringBy(admin);
    expect(made).toBe(expected);
    expect(made).not.toContain('secret');
  });

  it('is read by the driver as it was meant', () => {
    const login = { database: 'a b/c&d=e%20é', username: 'Acme', password: `p@:/?#[]%25 &=+'"\\` };
    const client = new pg.Client({
      connectionString: stringBy(
        { databaseUrl: 'postgres://admin:secret@db.example:6000/x' },
        login,
      ),
    });
    const { host, port, user, password, database } = client;
    expect({ host, port, database, username: user, password }).toEqual({
      host: 'db.example',
      port: 6000,
      ...login,
    });
  });
});
