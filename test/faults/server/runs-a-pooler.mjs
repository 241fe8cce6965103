import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canUse, serverAccount } from '../../../scripts/postgres/account.mjs';

/** PgBouncer in front of the server at a port, until the test ends. */
const { serverPort, password, mode } = JSON.parse(process.env.POOLER);
const account = serverAccount();
const base = [os.tmpdir(), '/tmp', '/var/tmp'].find((folder) => canUse(account, folder));
const place = mkdtempSync(path.join(base, 'nestjs-cloacina-pooler-'));
chmodSync(place, 0o755);

const port = await new Promise((resolve, reject) => {
  const probe = createServer().once('error', reject);
  probe.listen(0, '127.0.0.1', () => {
    const free = probe.address().port;
    probe.close(() => resolve(free));
  });
});
const file = path.join(place, 'pgbouncer.ini');
writeFileSync(
  file,
  `[databases]
* = host=127.0.0.1 port=${serverPort} user=postgres password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 20
max_client_conn = 200
ignore_startup_parameters = extra_float_digits, options
`,
  { mode: 0o644 },
);
const pooler = spawn('pgbouncer', [file], { ...account, cwd: '/', stdio: 'ignore' });
process.on('exit', () => {
  pooler.kill('SIGKILL');
  rmSync(place, { recursive: true, force: true });
});
process.on('SIGTERM', () => process.exit());
pooler.on('exit', (code) => process.exit(code ?? 1));
for (;;) {
  const open = await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .once('connect', () => resolve(true))
      .once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (open) break;
  await sleep(20);
}
process.send({ kind: 'started', port });
