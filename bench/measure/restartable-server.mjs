import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { canUse, serverAccount } from '../../scripts/postgres/account.mjs';
import { embeddedBinaries } from '../../scripts/postgres/binaries.mjs';
import { ensureCluster } from '../../scripts/postgres/cluster.mjs';
import { placeOf } from '../../scripts/postgres/place.mjs';
import { isAlive, runningServer } from '../../scripts/postgres/processes.mjs';
import { startServer } from '../../scripts/postgres/server.mjs';
import { checkout } from '../../scripts/run.mjs';
import { freePort } from './free-port.mjs';

/** How often the starting server is tried, in milliseconds. */
const PROBE_MS = 2;

/** A PostgreSQL server that can be killed, and started again on the same port. */
export class RestartableServer {
  #settings;
  #place;
  #port;
  #password = randomBytes(12).toString('hex');
  #running;

  /** @param more - settings of PostgreSQL, beside the port */
  static async start(more = {}) {
    const server = new RestartableServer();
    const account = serverAccount();
    const base = [os.tmpdir(), '/tmp', '/var/tmp'].find((folder) => canUse(account, folder));
    // The name under which a later run clears away what a killed one leaves.
    const user = process.getuid?.() ?? 'user';
    server.#place = mkdtempSync(path.join(base, `nestjs-cloacina-${user}-run-${process.pid}-`));
    chmodSync(server.#place, 0o755); // for the server's account
    const binaries = embeddedBinaries(account, placeOf(checkout, account));
    const directory = path.join(server.#place, 'data');
    ensureCluster({ binaries, account, directory, password: server.#password, sync: false });
    server.#port = await freePort();
    const log = path.join(server.#place, 'server.log');
    const settings = { ...more, port: server.#port };
    server.#settings = { binaries, account, directory, log, settings };
    server.#running = await startServer(server.#settings);
    return server;
  }

  get url() {
    return `postgres://postgres:${this.#password}@127.0.0.1:${this.#port}/postgres`;
  }

  /** Of the data, in which the server writes its process id. */
  get directory() {
    return this.#settings.directory;
  }

  /** SIGKILL of all its processes. Resolves when they are gone. */
  async kill() {
    const { pid } = runningServer(this.#settings.directory);
    const all = [pid, ...childrenOf(pid)];
    for (const each of all) killProcess(each);
    while (all.some((each) => isAlive(each))) await sleep(PROBE_MS);
  }

  /** Starts it again. Resolves with the time of the first attempt to connect that succeeded. */
  async startAgain() {
    const starting = startServer(this.#settings);
    const acceptedAt = await this.#firstConnection();
    this.#running = await starting;
    return acceptedAt;
  }

  async stop() {
    await this.#running.stop();
    rmSync(this.#place, { recursive: true, force: true });
  }

  async #firstConnection() {
    for (;;) {
      const began = performance.now();
      const client = new pg.Client(this.url);
      client.on('error', () => {});
      try {
        await client.connect();
        await client.end();
        return began;
      } catch {
        await sleep(PROBE_MS);
      }
    }
  }
}

function childrenOf(parent) {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && parentOf(pid) === parent)
    .map(Number);
}

function parentOf(pid) {
  try {
    // The program's name, in parentheses, may hold anything.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // it has ended in between
  }
}

function killProcess(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
