import { startWorker } from './measure/forked-worker.mjs';
import { median, quantile } from './statistics.mjs';

const WORKER = new URL('./recovery-worker.mjs', import.meta.url);
const SCHEMA = 'bench_recovery';
/** Tasks that the killed process runs. */
const TASKS = 20;
/** With leases alone, a short one: what is measured is the bound, not how long a default lease is. */
const SHORT_LEASE_MS = 3_000;

/**
 * Milliseconds from the loss of a process to all of its tasks running again elsewhere, in three ways: a survivor is
 * there (from the kill), a process boots afterwards (from its onApplicationBootstrap), and a survivor that has nothing
 * but leases to go by.
 */
export async function measureRecovery(url, kills) {
  const table = {};
  table['survivor in place'] = row(await survivor(url, kills, {}));
  table['booted after the kill'] = row(await booted(url, kills));
  const leases = { controlConnection: false, leaseDuration: SHORT_LEASE_MS };
  table[`leases alone, of ${SHORT_LEASE_MS} ms`] = row(
    await survivor(url, Math.min(kills, 10), leases),
  );
  return table;
}

async function survivor(url, kills, options) {
  const times = [];
  const taker = await start(url, 'take', options);
  for (let i = 0; i < kills; i++) {
    const victim = await start(url, 'hold', options);
    await victim.next('holding');
    const killed = performance.now();
    victim.process.kill('SIGKILL');
    await taker.next('taken');
    times.push(performance.now() - killed);
  }
  await taker.stop();
  return times;
}

async function booted(url, kills) {
  const times = [];
  for (let i = 0; i < kills; i++) {
    const victim = await start(url, 'hold', {});
    await victim.next('holding');
    victim.process.kill('SIGKILL');
    const taker = await start(url, 'take', {});
    times.push((await taker.next('taken')).sinceBootstrapMs);
    await taker.stop();
  }
  return times;
}

function start(url, role, options) {
  return startWorker(WORKER, {
    URL: url,
    SCHEMA,
    ROLE: role,
    TASKS,
    OPTIONS: JSON.stringify(options),
  });
}

function row(times) {
  return {
    kills: times.length,
    'median ms': Math.round(median(times)),
    'p95 ms': Math.round(quantile(times, 0.95)),
    'max ms': Math.round(Math.max(...times)),
  };
}
