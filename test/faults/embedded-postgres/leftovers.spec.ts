import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { startChild, type TestChild } from '../../support/child-process.js';
import { waitFor } from '../../support/wait-for.js';

const script = new URL('holds-a-server.mjs', import.meta.url);

interface Held {
  child: TestChild;
  directory: string;
  server: number;
  keeper: number;
}

async function holdServer(): Promise<Held> {
  const child = startChild(script);
  const { directory } = await child.message<{ directory: string }>(
    (message) => 'directory' in message,
  );
  const server = parseInt(readFileSync(join(directory, 'postmaster.pid'), 'utf8'), 10);
  const options = readFileSync(join(directory, 'postmaster.opts'), 'utf8');
  return { child, directory, server, keeper: Number(/cloacina\.keeper=(\d+)/.exec(options)?.[1]) };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the embedded PostgreSQL', () => {
  it('ends, data and all, when the process that started it is killed', async () => {
    const { child, directory, server } = await holdServer();
    await child.kill('SIGKILL');
    await waitFor(() => !isRunning(server) && !existsSync(directory), {
      what: 'the end of the server',
    });
  });

  it('is cleared away by the next run when its keeper was killed as well', async () => {
    const left = await holdServer();
    process.kill(left.keeper, 'SIGKILL');
    await left.child.kill('SIGKILL');
    expect(isRunning(left.server)).toBe(true);

    await holdServer();
    expect(existsSync(left.directory)).toBe(false);
    await waitFor(() => !isRunning(left.server), { what: 'the end of the server' });
  });
});
