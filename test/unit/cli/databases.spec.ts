import { describe, expect, it } from '@jest/globals';
import { databasesOf } from '../../../lib/cli/databases.js';

const EU = 'postgres://app:a=b,c@eu.internal/shop';
const US = 'postgresql://app:s3cret@us.internal/shop?sslmode=require&options=-c%20a';
const SERVERS = `eu=${EU},us=${US}`;
const both = [
  { server: 'eu', databaseUrl: EU },
  { server: 'us', databaseUrl: US },
];

describe('databasesOf', () => {
  it('takes the option before the servers, and these before DATABASE_URL', () => {
    const env = { DATABASE_URL: EU, CLOACINA_SERVERS: SERVERS };
    expect(databasesOf({ databaseUrl: US }, env)).toEqual([{ databaseUrl: US }]);
    expect(databasesOf({}, env)).toEqual(both);
    expect(databasesOf({ server: 'us' }, env)).toEqual(both.slice(1));
    expect(databasesOf({}, { DATABASE_URL: EU, CLOACINA_SERVERS: '' })).toEqual([
      { databaseUrl: EU },
    ]);
  });

  it('takes white space between servers', () => {
    expect(databasesOf({}, { CLOACINA_SERVERS: ` eu=${EU},\n  us=${US}\n` })).toEqual(both);
  });

  it.each([
    [{}, {}, /No database is named/],
    [{ server: 'eu' }, { DATABASE_URL: EU }, /--server needs CLOACINA_SERVERS/],
    [{ server: 'uk' }, { CLOACINA_SERVERS: SERVERS }, /no server "uk", but eu, us/],
    [{ server: 'eu', databaseUrl: EU }, { CLOACINA_SERVERS: SERVERS }, /not both/],
    [{}, { CLOACINA_SERVERS: EU }, /Server 1 of CLOACINA_SERVERS must be a name/],
    [{}, { CLOACINA_SERVERS: `eu=${EU},us=mysql://x` }, /Server 2 of CLOACINA_SERVERS must be/],
    [{}, { CLOACINA_SERVERS: `1=${US}` }, /The name of server 1 of CLOACINA_SERVERS must be/],
    [{}, { CLOACINA_SERVERS: `eu=${EU},eu=${US}` }, /names the server eu twice/],
  ])('refuses %j with %j', (options, env, message) => {
    expect(() => databasesOf(options, env)).toThrow(message);
    expect(() => databasesOf(options, env)).not.toThrow(/s3cret/);
  });
});
