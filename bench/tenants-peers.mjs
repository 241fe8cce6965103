import { setTimeout as delay } from 'node:timers/promises';
import { ContenderProcess } from './measure/process.mjs';
import { chain } from './measure/shape.mjs';

/** An instance for each schema, all in one process and on one pool where they can share one. */
const CONTENDERS = ['graphile-worker', 'pg-boss', 'nestjs-cloacina'];
/** Until what a boot sets off is over, and backends have reported what they did. */
const SETTLE_MS = 10_000;

/**
 * What a hundred tenants cost the peers in one process, in their default configuration: to boot, and while idle.
 *
 * @param server - a BenchServer
 */
export async function measureTenantsOfPeers(server, tenants = 100, idleMs = 30_000) {
  const schemas = Array.from({ length: tenants }, (_, no) => `tenant_${no}`);
  const table = {};
  for (const name of CONTENDERS) table[name] = await measureOne(server, name, schemas, idleMs);
  return table;
}

async function measureOne(server, name, schemas, idleMs) {
  const database = await server.createDatabase();
  const settings = {
    url: database.url,
    name,
    configuration: 'default',
    shape: chain(1),
    schemas,
  };
  const boot = async () => {
    const began = performance.now();
    const worker = await ContenderProcess.start(settings);
    return { worker, ms: performance.now() - began };
  };
  const first = await boot();
  await first.worker.stop();
  const { worker, ms } = await boot();
  try {
    await delay(SETTLE_MS);
    const look = async () => ({
      ...(await server.counters(database.name)),
      usage: await worker.call('usage'),
      at: performance.now(),
    });
    const before = await look();
    await delay(idleMs);
    const after = await look();
    const seconds = (after.at - before.at) / 1_000;
    const cpuMs = ({ usage }) => (usage.user + usage.system) / 1_000;
    return {
      'first boot, ms a tenant': round(first.ms / schemas.length),
      'next boot, ms': round(ms),
      connections: await server.connections(database.name),
      'idle statements/s': round((after.statements - before.statements) / seconds),
      'process CPU %': round((cpuMs(after) - cpuMs(before)) / seconds / 10),
      'server CPU %': round((after.serverCpuMs - before.serverCpuMs) / seconds / 10),
      'RSS MB': round((await worker.call('heap')).rss / 2 ** 20),
    };
  } finally {
    await worker.stop();
    await database.drop();
  }
}

function round(value) {
  return Math.round(value * 100) / 100;
}
