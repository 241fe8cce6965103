import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Runs a server whose process has mounts of its own, so that the small file system for its tablespace is gone with it,
 * however it ends. What it is told and says passes through here.
 */
const script = fileURLToPath(new URL('runs-a-server.mjs', import.meta.url));
const server = spawn(
  'unshare',
  ['--mount', '--propagation', 'private', process.execPath, ...process.execArgv, script],
  { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
);
server.on('message', (message) => process.send(message));
server.on('error', () => process.exit(1));
server.on('exit', (code) => process.exit(code ?? 1));
process.on('message', (message) => server.send(message));
process.on('disconnect', () => server.disconnect());
