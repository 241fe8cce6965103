import { randomBytes } from 'node:crypto';
import vm from 'node:vm';
import { TestEnvironment as NodeEnvironment } from 'jest-environment-node';
import pg from 'pg';
import { disableAsyncStorages } from './async-storages.mjs';
import { keepCompiledCode, shareCompiledCode } from './code-cache.mjs';
import { endWithParent } from './end-with-parent.mjs';

/** What support code asks for here is done when the file's hooks are over: see `after-file.ts`. */
const AFTER_FILE = Symbol.for('cloacina.test.afterFile');

// A worker whose run was killed would go on alone, for as long as its tests wait for a server that is gone.
endWithParent();

// A worker that has nothing left to do takes down the heap of every file that it ran. That takes longer than jest waits
// before it kills it, and says that tests leak.
if (process.send !== undefined) process.once('beforeExit', () => process.exit());

// Between two files: jest has handlers of its own while tests run. A client that a failed test left open, and that does
// not listen for errors, would end the worker when its database goes, and jest would run the file again and again.
process.on('uncaughtException', (error) => {
  const { code } = error.context ?? error; // events of another realm are wrapped
  if (code !== '57P01') throw error;
});

const { createContext } = vm;

/**
 * A context whose global object is one as any other. That of jest is a proxy behind interceptors, which each use of `Map`, `Promise`
 * or `setTimeout` in a test file, the library or a dependency asks.
 */
function createOrdinaryContext() {
  return createContext(vm.constants.DONT_CONTEXTIFY);
}

/**
 * Gives each test file of a project with a server (`testEnvironmentOptions: { database: true }`) an empty database of
 * its own as DATABASE_URL. Processes on one database hear each other's notifications, see each other's locks, and leave
 * dead rows in the same catalogs: with one database for all, a test's result depended on the files beside and before it.
 */
export default class TestEnvironment extends NodeEnvironment {
  constructor(config, context) {
    vm.createContext = createOrdinaryContext;
    super(config, context);
    vm.createContext = createContext;
    // What comes from a cache is counted less exactly.
    if (!config.globalConfig.collectCoverage) shareCompiledCode();
    this.wantsDatabase = config.projectConfig.testEnvironmentOptions.database === true;
    this.global[AFTER_FILE] = this.afterFile = [];
  }

  async setup() {
    await super.setup();
    if (!this.wantsDatabase) return;
    const name = `test_file_${randomBytes(5).toString('hex')}`;
    await createDatabase(name);
    this.database = name;
    const url = new URL(process.env.DATABASE_URL);
    url.pathname = `/${name}`;
    this.global.process.env.DATABASE_URL = url.href;
  }

  /** Jest's runner calls it; from `teardown()` on, code of the file can load no modules. */
  async handleTestEvent({ name }) {
    if (name !== 'run_finish') return;
    for (const step of this.afterFile) await step();
  }

  /**
   * After the file's last `afterAll`. By force, because a session that a failed test left open would hold up the drop,
   * and hide the failure behind a timeout.
   */
  async teardown() {
    if (this.database !== undefined) {
      const client = await connectServer();
      await client.query(`DROP DATABASE ${this.database} WITH (FORCE)`);
    }
    await super.teardown();
    disableAsyncStorages();
    keepCompiledCode();
  }
}

/**
 * Copied as files: by way of the log, which is the default, it costs the server five times as much. In a whole run it is a copy
 * of the database that `template.mjs` has made.
 */
async function createDatabase(name) {
  const client = await connectServer();
  const { rows } = await client.query(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const strategy = rows[0].version >= 150_000 ? 'STRATEGY file_copy' : '';
  const template = process.env.CLOACINA_TEST_TEMPLATE ?? 'template1';
  await client.query(`CREATE DATABASE ${name} TEMPLATE ${template} ${strategy}`);
}

let session;

/** One connection for all files of the worker, which doesn't keep it alive. */
function connectServer() {
  session ??= (async () => {
    const client = new pg.Client({
      connectionString: process.env.DATABASE_URL,
      application_name: 'cloacina-test-environment',
    });
    // It ends with the server, and in watch mode the next run has another server.
    client.on('error', () => (session = undefined));
    client.on('end', () => (session = undefined));
    await client.connect();
    client.unref();
    return client;
  })();
  return session;
}
