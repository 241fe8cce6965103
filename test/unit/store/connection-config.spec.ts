import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { urlProblem } from '../../../lib/store/postgres/connections/connection-url.js';
import {
  connectionConfig,
  controlConfig,
  loginKey,
  unusedApplicationName,
  type ConnectionSource,
} from '../../../lib/store/postgres/connections/connection-config.js';

const URL = 'postgres://user:secret@host:6000/base';
const token = (): string => 'token';

const before = { ...process.env };
afterEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('PG')) Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, before);
});

/** What the driver itself makes of the settings. */
function asTheDriverHasIt(source: ConnectionSource): Record<string, unknown> {
  const client = new pg.Client(connectionConfig(source));
  const { host, port, user, password, database } = client;
  const { options, statement_timeout, lock_timeout, ssl } = Reflect.get(
    client,
    'connectionParameters',
  ) as Record<string, unknown>;
  return { host, port, user, password, database, options, statement_timeout, lock_timeout, ssl };
}

type Row = [string, ConnectionSource & { env?: Record<string, string> }, Record<string, unknown>];

const ROWS: Row[] = [
  [
    'a URL alone',
    { databaseUrl: URL },
    { host: 'host', port: 6000, user: 'user', password: 'secret', database: 'base', ssl: false },
  ],
  [
    'url of connection before databaseUrl',
    { databaseUrl: URL, connection: { url: 'postgres://x/y' } },
    { host: 'x', database: 'y' },
  ],
  [
    'a host beside the URL',
    { databaseUrl: URL, connection: { host: 'h' } },
    { host: 'h', port: 6000, user: 'user' },
  ],
  [
    'an IPv6 host beside it',
    { databaseUrl: URL, connection: { host: '::1' } },
    { host: '::1', port: 6000 },
  ],
  ['one in brackets', { databaseUrl: URL, connection: { host: '[::1]' } }, { host: '::1' }],
  [
    'an IPv6 host in the URL',
    { databaseUrl: 'postgres://u:p@[::1]:7/d' },
    { host: '::1', port: 7 },
  ],
  [
    'a socket beside it',
    { databaseUrl: URL, connection: { host: '/run/pg' } },
    { host: '/run/pg', port: 6000, database: 'base' },
  ],
  [
    'a socket in a parameter',
    { databaseUrl: 'postgres:///d?host=/run/pg&port=7' },
    { host: '/run/pg', port: 7, database: 'd' },
  ],
  [
    'with a login',
    { databaseUrl: 'postgres://u:p@/d?host=/run/pg', connection: { username: 'v' } },
    { host: '/run/pg', user: 'v', password: 'p', database: 'd' },
  ],
  [
    'in the place of the host',
    { databaseUrl: 'postgres://u:p@%2Frun%2Fpg/d', connection: { port: 7 } },
    { host: '/run/pg', port: 7, database: 'd' },
  ],
  [
    'as socket:',
    { databaseUrl: 'socket:/run/pg?db=d', connection: { username: 'v' } },
    { host: '/run/pg', user: 'v', database: 'd' },
  ],
  [
    'as socket: with a login',
    { databaseUrl: 'socket://u:p@/run/pg?db=d' },
    { host: '/run/pg', user: 'u', password: 'p', database: 'd' },
  ],
  [
    'a login in parameters',
    { databaseUrl: 'postgres://h/d?user=u&password=p' },
    { user: 'u', password: 'p' },
  ],
  [
    'what is encoded',
    { databaseUrl: 'postgres://a%40b:p%2F%3A%40%25@h/d%20e' },
    { user: 'a@b', password: 'p/:@%', database: 'd e' },
  ],
  [
    'a name and a database beside it, taken as they are',
    { databaseUrl: URL, connection: { username: 'a%40b', database: 'd%20e' } },
    { user: 'a%40b', database: 'd%20e' },
  ],
  [
    'a port as text, as the environment has it',
    { databaseUrl: URL, connection: { port: '7' as never } },
    { port: 7 },
  ],
  [
    'a password function beside a URL with a password',
    { databaseUrl: URL, connection: { password: token } },
    { password: token, user: 'user' },
  ],
  [
    'beside one without',
    { databaseUrl: 'postgres://u@h/d', connection: { password: token } },
    { password: token },
  ],
  [
    'a database named by the user',
    { databaseUrl: 'postgres://u@h', connection: { username: 'v' } },
    { user: 'v', database: 'v' },
  ],
  [
    'one that the URL names, beside another user',
    { databaseUrl: 'postgres://u@h/u', connection: { username: 'v' } },
    { user: 'v', database: 'u' },
  ],
  [
    'extra before the URL',
    { databaseUrl: URL, connection: { extra: { host: 'e', user: 'e' } } },
    { host: 'e', user: 'e', port: 6000 },
  ],
  [
    'connection before extra',
    { databaseUrl: URL, connection: { host: 'h', extra: { host: 'e' } } },
    { host: 'h' },
  ],
  [
    'no URL by extra',
    { databaseUrl: URL, connection: { extra: { connectionString: 'postgres://e/e' } } },
    { host: 'host' },
  ],
  [
    'TLS of the URL',
    { databaseUrl: `${URL}?sslmode=no-verify` },
    { ssl: { rejectUnauthorized: false } },
  ],
  [
    'TLS turned off in the URL',
    { databaseUrl: `${URL}?sslmode=disable`, env: { PGSSLMODE: 'no-verify' } },
    { ssl: false },
  ],
  [
    'ssl before the URL',
    { databaseUrl: `${URL}?sslmode=disable`, connection: { ssl: true } },
    { ssl: true },
  ],
  [
    'ssl: false before the URL',
    { databaseUrl: `${URL}?sslmode=no-verify`, connection: { ssl: false } },
    { ssl: false },
  ],
  ['options of the URL', { databaseUrl: `${URL}?options=-c%20a.b%3D1` }, { options: '-c a.b=1' }],
  [
    'options of all sources, joined',
    {
      databaseUrl: `${URL}?options=-c%20url%3D1&lock_timeout=9`,
      connection: { extra: { options: '-c extra=1', statement_timeout: '5 s' } },
      env: { PGOPTIONS: '-c env=1' },
    },
    {
      options: String.raw`-c env=1 -c url=1 -c lock_timeout=9 -c extra=1 -c statement_timeout=5\ s`,
      // As parameters of their own they would win over the library's in `options`.
      lock_timeout: false,
      statement_timeout: false,
    },
  ],
  [
    "options of the environment beside TypeORM's",
    { connection: { host: 'h' }, env: { PGOPTIONS: '-c env=1' } },
    { host: 'h', options: '-c env=1' },
  ],
  [
    'the environment, where nothing else says it',
    {
      connection: { host: 'h' },
      env: { PGHOST: 'e', PGPORT: '7', PGUSER: 'eu', PGPASSWORD: 'ep', PGDATABASE: 'ed' },
    },
    { host: 'h', port: 7, user: 'eu', password: 'ep', database: 'ed' },
  ],
  [
    'the environment under a URL',
    {
      databaseUrl: 'postgres://h',
      env: { PGPORT: '7', PGUSER: 'eu', PGPASSWORD: 'ep', PGDATABASE: 'ed' },
    },
    { host: 'h', port: 7, user: 'eu', password: 'ep', database: 'ed' },
  ],
  [
    'a host that is left out',
    { databaseUrl: 'postgres:///d', env: { PGHOST: '/run/pg' } },
    { host: '/run/pg', database: 'd' },
  ],
];

describe('what the driver gets', () => {
  it.each(ROWS)('%s', (_what, { env = {}, ...source }, expected) => {
    for (const name of [
      'PGHOST',
      'PGPORT',
      'PGUSER',
      'PGPASSWORD',
      'PGDATABASE',
      'PGOPTIONS',
      'PGSSLMODE',
    ]) {
      Reflect.deleteProperty(process.env, name);
    }
    Object.assign(process.env, env);
    expect(asTheDriverHasIt(source)).toMatchObject(expected);
    expect(connectionConfig(source)).not.toHaveProperty('connectionString');
  });

  it("leaves names, encodings and formats to the library, and the application's objects as they are", () => {
    const ssl = { key: 'key', ca: 'ca' };
    const extra = { application_name: 'x', binary: true, client_encoding: 'LATIN1', max: 3 };
    const source = {
      databaseUrl: `${URL}?application_name=y&client_encoding=LATIN1&replication=1`,
      connection: { ssl, extra },
    };
    const key = loginKey(source);
    const config = connectionConfig(source);
    expect(Object.keys(config).sort()).toEqual([
      'database',
      'host',
      'max',
      'password',
      'port',
      'ssl',
      'user',
    ]);
    // The driver hides the key in the object that it gets.
    expect(new pg.Client(config)).toHaveProperty('ssl');
    expect(Object.keys(ssl)).toContain('key');
    expect(loginKey(source)).toBe(key);
    expect(unusedApplicationName(source)).toBe('x');
    expect(unusedApplicationName({ databaseUrl: `${URL}?application_name=y` }, {})).toBe('y');
    expect(unusedApplicationName({ connection: { applicationName: 'z' } })).toBe('z');
    expect(unusedApplicationName({}, { PGAPPNAME: 'w' })).toBe('w');
    expect(unusedApplicationName({ databaseUrl: URL }, {})).toBeUndefined();
  });

  it('is one login for one place, however it is written', () => {
    const parts = {
      host: 'host',
      port: 6000,
      username: 'user',
      password: 'secret',
      database: 'base',
    };
    expect(loginKey({ connection: parts })).toBe(loginKey({ databaseUrl: URL }));
    expect(loginKey({ connection: { ...parts, database: 'other' } })).not.toBe(
      loginKey({ databaseUrl: URL }),
    );
    expect(loginKey({ databaseUrl: URL, controlUrl: 'postgres://x/y' })).not.toBe(
      loginKey({ databaseUrl: URL }),
    );
  });

  it('says what it is about when the files of a URL are not there, without the URL', () => {
    const source = { databaseUrl: `${URL}?sslrootcert=/no/such/file` };
    expect(() => connectionConfig(source)).toThrow(
      /A database URL can't be used: .*\/no\/such\/file/,
    );
    expect(() => connectionConfig(source)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION' }),
    );
    expect(() => connectionConfig(source)).not.toThrow(/secret/);
  });
});

describe('the control connection', () => {
  it.each<[string, Parameters<typeof controlConfig>[0], Record<string, unknown>]>([
    [
      'has the place of the others without controlUrl',
      { databaseUrl: URL },
      { host: 'host', user: 'user' },
    ],
    [
      'goes where controlUrl leads, with TLS and password function of `connection`',
      {
        databaseUrl: URL,
        controlUrl: 'postgres://c@direct/base',
        connection: { host: 'pooler', port: 1, ssl: true, password: token },
      },
      { host: 'direct', user: 'c', password: token, ssl: true, database: 'base' },
    ],
    [
      'takes what controlUrl says before them',
      {
        databaseUrl: URL,
        controlUrl: 'postgres://c:own@direct:7/base?sslmode=disable',
        connection: { username: 'x', password: token, ssl: true },
      },
      { host: 'direct', port: 7, user: 'c', password: 'own', ssl: false },
    ],
  ])('%s', (_what, source, expected) => {
    const config = controlConfig(source, {});
    expect(config).toMatchObject(expected);
    if (expected['port'] === undefined && source.controlUrl !== undefined)
      expect(config).not.toHaveProperty('port');
  });
});

describe('urlProblem', () => {
  it.each([
    URL,
    'postgresql://h',
    'postgres:///d',
    'socket:/run/pg?db=d',
    'socket://u:p@/run/pg?db=d',
    'postgres://u:p@[::1]/d',
    'postgres://u:a,b@h/d',
    'postgres://h/d?options=-c%20a%3Db,c',
    'postgres://h/d?user=app@server&password=p@ss',
    'postgres://u:p%40ss@h/d%40e',
    'postgres://u:p@ss@h/d',
  ])('takes %s', (url) => expect(urlProblem(url)).toBeUndefined());

  it.each(['', ' '])('says that %j is empty: a variable that is not set', (url) => {
    expect(urlProblem(url)).toMatch(/^is empty; it must be a URL such as postgres:/);
  });

  it.each([
    'postgres://u:secret@a:1,b:2/d',
    'postgres://u:secret@a,b/d?target_session_attrs=read-write',
    'postgres://u:secret@/d?host=a,b',
  ])('says of %s that the driver has one host', (url) => {
    expect(urlProblem(url)).toMatch(
      /^names several hosts, but the driver connects to only one\. Name /,
    );
  });

  // The driver takes the user for the host, and the password for the port and the database, which messages show.
  it.each([
    'postgres://u:/secret@h:5432/d',
    'postgres://u:12/secret@h/d',
    'postgres://u:12#secret@h/d',
    'postgres://u:12?secret@h/d',
  ])('refuses %s, whose password is not encoded', (url) => {
    expect(urlProblem(url)).toMatch(/^has an @ [^]* encode the characters of its password with /);
    expect(urlProblem(url)).not.toContain('secret');
  });

  it.each(['postgres://h/d?port=x', 'postgres://h/d?port=70000'])(
    'refuses the port of %s',
    (url) => {
      expect(urlProblem(url)).toBe('has a port that is not a number from 1 to 65535');
    },
  );
});
