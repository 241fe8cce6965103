import { randomBytes } from 'node:crypto';
import { TestEnvironment as NodeEnvironment } from 'jest-environment-node';
import pg from 'pg';
import { endWithParent } from './end-with-parent.mjs';

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

/**
 * Gives each test file of a project with a server (`testEnvironmentOptions: { database: true }`) an empty database of
 * its own as DATABASE_URL. Processes on one database hear each other's notifications, see each other's locks, and leave
 * dead rows in the same catalogs: with one database for all, a test's result depended on the files beside and before it.
 */
export default class TestEnvironment extends NodeEnvironment {
  constructor(config, context) {
    super(config, context);
    this.wantsDatabase = config.projectConfig.testEnvironmentOptions.database === true;
  }

  async setup() {
    await super.setup();
    if (!this.wantsDatabase) return;
    const name = `test_file_${randomBytes(5).toString('hex')}`;
    await onServer((client) => client.query(`CREATE DATABASE ${name}`));
    this.database = name;
    const url = new URL(process.env.DATABASE_URL);
    url.pathname = `/${name}`;
    this.global.process.env.DATABASE_URL = url.href;
  }

  /**
   * After the file's last `afterAll`. By force, because a session that a failed test left open would hold up the drop,
   * and hide the failure behind a timeout.
   */
  async teardown() {
    if (this.database !== undefined) {
      await onServer((client) => client.query(`DROP DATABASE ${this.database} WITH (FORCE)`));
    }
    await super.teardown();
  }
}

async function onServer(work) {
  const client = new pg.Client({
    connectionString: process.env.DATABASE_URL,
    application_name: 'cloacina-test-environment',
  });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
