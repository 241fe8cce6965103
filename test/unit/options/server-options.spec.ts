import { describe, expect, it } from '@jest/globals';
import type {
  CloacinaSharedOptions,
  CloacinaTenantOptions,
} from '../../../lib/cloacina.options.js';
import {
  checkServerSchemas,
  resolveSharedOptions,
  resolveTenantOptions,
} from '../../../lib/options/index.js';

const EU = 'postgres://app:s3cret@eu.internal/shop';
const US = 'postgres://app:s3cret@us.internal/shop';
const SERVERS = { eu: { databaseUrl: EU }, us: { databaseUrl: US, poolSize: 4 } };

function shared(options: object): readonly string[] {
  const result = resolveSharedOptions(options);
  return result.ok ? [] : result.problems;
}

function tenant(
  options: CloacinaTenantOptions,
  given: CloacinaSharedOptions = { servers: SERVERS },
) {
  return resolveTenantOptions(options, given, { DATABASE_URL: 'postgres://app@env/env' });
}

function problemsOf(...args: Parameters<typeof tenant>): readonly string[] {
  const result = tenant(...args);
  return result.ok ? [] : result.problems;
}

describe('the option servers', () => {
  it('takes servers by name', () => {
    expect(shared({ servers: SERVERS, requireAll: true })).toEqual([]);
    expect(shared({ servers: { 'eu-west_1': { connection: { host: 'eu.internal' } } } })).toEqual(
      [],
    );
  });

  it.each([
    [{ servers: {} }, /servers is empty/],
    [{ servers: [EU] }, /servers must be an object/],
    [{ servers: 'eu' }, /servers must be an object/],
    [
      { servers: { '1eu': { databaseUrl: EU } } },
      /the name of server '1eu' must be 1 to 63 letters/,
    ],
    [{ servers: { 'e u': { databaseUrl: EU } } }, /must be 1 to 63 letters/],
    [{ servers: { ['e'.repeat(64)]: { databaseUrl: EU } } }, /must be 1 to 63 letters/],
    [{ servers: { eu: {} } }, /servers\.eu: there is no databaseUrl/],
    [{ servers: { eu: { databaseUrl: 'nonsense' } } }, /servers\.eu: databaseUrl /],
    [{ servers: { eu: { databaseUrl: EU, schema: 'a' } } }, /there is no option "schema"/],
    [{ servers: { eu: { databaseUrl: EU, poolSize: 1 } } }, /poolSize must be/],
    [{ servers: { eu: EU } }, /Give the URL as its databaseUrl/],
    [{ servers: { eu: null } }, /servers\.eu: the options must be an object/],
    [{ servers: SERVERS, databaseUrl: EU }, /servers and databaseUrl exclude each other/],
    [{ servers: SERVERS, controlUrl: EU }, /servers and controlUrl exclude each other/],
    [{ servers: SERVERS, connection: { host: 'x' } }, /servers excludes a connection that names/],
    [{ servers: { eu: { databaseUrl: EU }, EU: { databaseUrl: US } } }, /differ only in case/],
    [
      { servers: { eu: { databaseUrl: EU }, us: { databaseUrl: EU } } },
      /"eu", "us" are one database/,
    ],
    [{ requireAll: true }, /requireAll needs servers/],
    [{ server: 'eu' }, /server is an option of a tenant/],
  ])('refuses %j', (options, problem) => {
    const problems = shared(options);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems.join()).not.toContain('s3cret');
  });
});

describe('the option server', () => {
  it('gives a tenant the connection of its server', () => {
    expect(tenant({ schema: 'a', server: 'us' }, { servers: SERVERS, poolSize: 8 })).toMatchObject({
      ok: true,
      options: { server: 'us', databaseUrl: US, poolSize: 4, mayBeAway: true },
    });
    const strict = tenant({ schema: 'a', server: 'eu' }, { servers: SERVERS, requireAll: true });
    expect(strict).toMatchObject({
      ok: true,
      options: { server: 'eu', databaseUrl: EU, poolSize: 10 },
    });
    expect(strict).not.toHaveProperty('options.mayBeAway');
  });

  it('may be left out with one server, and with a databaseUrl that leads to one', () => {
    const only = { servers: { eu: { databaseUrl: EU } } };
    expect(tenant({ schema: 'a' }, only)).toMatchObject({ options: { server: 'eu' } });
    const own = 'postgres://acme:own@us.internal/shop';
    expect(tenant({ schema: 'a', databaseUrl: own })).toMatchObject({
      options: { server: 'us', databaseUrl: own },
    });
    const other = tenant({ schema: 'a', databaseUrl: 'postgres://acme@other/shop' });
    expect(other).toMatchObject({ ok: true });
    expect(other).not.toHaveProperty('options.server');
  });

  it('is refused if it is unknown, missing, or contradicted', () => {
    expect(problemsOf({ schema: 'a', server: 'uk' })).toEqual([
      expect.stringMatching(/^Tenant "a": server 'uk' is not one of the servers "eu", "us"\./),
    ]);
    expect(problemsOf({ schema: 'a' })).toEqual([
      'Tenant "a" names no server. Set server to one of "eu", "us".',
    ]);
    expect(problemsOf({ schema: 'a', server: 'us' }, {})).toEqual([
      expect.stringMatching(/server needs the option servers/),
    ]);
    expect(problemsOf({ schema: 'a', server: 'eu', databaseUrl: US })).toEqual([
      expect.stringMatching(/leads to another database than server "eu"/),
    ]);
    expect(problemsOf({ schema: 'a', server: 'eu', servers: SERVERS })).toEqual([
      expect.stringMatching(/servers is an option of forRoot\(\) only/),
    ]);
  });

  it('has each schema on one server', () => {
    const options = ['eu', 'us'].map((server) => {
      const result = tenant({ tenant: `of ${server}`, schema: 'a', server });
      if (!result.ok) throw new Error(result.problems.join('\n'));
      return result.options;
    });
    expect(checkServerSchemas(options)).toEqual([
      expect.stringMatching(/The schema "a" is a tenant's on the servers "eu" and "us"/),
    ]);
    expect(checkServerSchemas(options.slice(1))).toEqual([]);
  });
});
