import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.mjs';

const READY_MS = 60_000;
const PROBE_MS = 50;

/** The server's program: that of RESTATE_SERVER, or of the optional dependency. Undefined where neither is at hand. */
export function restateBinary() {
  const given = process.env.RESTATE_SERVER;
  if (given !== undefined) return existsSync(given) ? given : undefined;
  try {
    const name = `@restatedev/restate-server-${os.platform()}-${os.arch()}`;
    const { resolve } = createRequire(import.meta.url);
    const found = path.join(path.dirname(resolve(`${name}/package.json`)), 'bin/restate-server');
    return existsSync(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Restate is no library on PostgreSQL: it brings a server of its own, with default options on an empty folder. */
export async function startRestate() {
  const place = mkdtempSync(path.join(os.tmpdir(), 'cloacina-restate-'));
  const [ingress, admin, node] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(restateBinary(), ['--base-dir', place], {
    env: {
      ...process.env,
      RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
      RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_LOG_FILTER: 'error',
      DO_NOT_TRACK: '1',
    },
    stdio: 'ignore',
  });
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(place, { recursive: true, force: true });
  };
  try {
    await ready(`http://127.0.0.1:${admin}/health`, child);
    await ready(`http://127.0.0.1:${ingress}/restate/health`, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ingress: `http://127.0.0.1:${ingress}`,
    /** Tells the server where the handlers are. */
    register: async (uri) => {
      const answer = await fetch(`http://127.0.0.1:${admin}/deployments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ uri }),
      });
      if (!answer.ok) throw new Error(`Restate refuses the handlers: ${await answer.text()}`);
    },
    stop,
  };
}

async function ready(url, child) {
  for (const until = performance.now() + READY_MS; performance.now() < until;) {
    if (child.exitCode !== null) break;
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await delay(PROBE_MS);
  }
  throw new Error(`The Restate server is not ready at ${url}.`);
}
