import { spawn } from 'node:child_process';
import { openSync, rmSync } from 'node:fs';

/**
 * Runs a PostgreSQL server for as long as the process that asked for it lives. That process holds the other end of
 * standard input: when it ends, by whatever cause, SIGKILL too, the pipe closes and the server is stopped. The
 * keeper has a session of its own, so that Ctrl-C in a terminal reaches the application and not its database.
 */
const { command, args, account, log, removeAfterwards } = JSON.parse(process.argv[2]);

const output = openSync(log, 'w');
const server = spawn(command, [...args, '-c', `cloacina.keeper=${process.pid}`], {
  ...account,
  cwd: '/',
  stdio: ['ignore', output, output],
});

server.on('error', () => process.exit(1));
server.on('exit', (code) => {
  if (removeAfterwards) rmSync(removeAfterwards, { recursive: true, force: true, maxRetries: 5 });
  process.exit(code ?? 1);
});

process.stdin.on('close', stop).on('error', stop).resume();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);

let stopping = false;
function stop() {
  if (stopping) return;
  stopping = true;
  server.kill('SIGINT'); // a fast shutdown
  setTimeout(() => server.kill('SIGQUIT'), 10_000).unref();
  setTimeout(() => server.kill('SIGKILL'), 15_000).unref();
}
