/**
 * A process that runs the test of the test kit again and again: an approval of 14 days, a nightly schedule, retries with a
 * backoff to 30 minutes, and a crash. It sends what each run took, with its boot and its close.
 *
 * By itself, for a profile: `node --cpu-prof bench/testkit-worker.mjs` after `npm run build`.
 */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { loadBuilt, loadBuiltEntry } from './measure/built-library.mjs';
import { median } from './statistics.mjs';

const { STORE: store = 'memory', RUNS: runs = '50' } = process.env;
const { defineSignal, Schedule, Task, Workflow } = await loadBuilt();
const { createTestingTenant } = await loadBuiltEntry('testing');
const Approval = defineSignal('approval');

const ledger = { lines: [], failures: 0 };

class Order {
  charge({ attempt }) {
    ledger.lines.push(`charge ${attempt}`);
    if (attempt <= ledger.failures) throw new Error('The bank is closed.');
    return { receipt: 'r-17' };
  }
  async approve(context) {
    const answer = await context.waitFor(Approval, { timeout: '14d' });
    return { approved: answer?.approved ?? false };
  }
  ship() {
    ledger.lines.push('ship');
    return { parcel: 'p-1' };
  }
}
const retry = {
  maxAttempts: 5,
  backoff: 'exponential',
  delay: '10m',
  maxDelay: '30m',
  jitter: false,
};
decorate(Order, 'charge', Task({ retry }));
decorate(Order, 'approve', Task({ dependsOn: ['charge'] }));
decorate(Order, 'ship', Task({ dependsOn: ['approve'] }));
Workflow({ name: 'order' })(Order);

class Nightly {
  report() {
    ledger.lines.push('report');
  }
}
decorate(Nightly, 'report', Task());
Schedule('0 2 * * *', { timezone: 'UTC' })(Nightly);
Workflow({ name: 'nightly' })(Nightly);

process.send?.({ type: 'ready' });
const samples = [];
for (let run = 0; run < Number(runs); run++) samples.push(await measured());
if (process.send === undefined) console.table({ first: samples[0], median: mediansOf(samples) });
else {
  process.once('message', () => process.disconnect());
  process.send({ type: 'samples', samples });
}

function mediansOf(all) {
  const names = Object.keys(all[0]);
  return Object.fromEntries(names.map((name) => [name, median(all.map((one) => one[name]))]));
}

/** Milliseconds of each part, and of the processor for all of them. */
async function measured() {
  Object.assign(ledger, { lines: [], failures: 3 });
  const startsAt = new Date('2030-01-01T12:00:00Z');
  const boot = await timed(() =>
    createTestingTenant({ store, workflows: [Order, Nightly], startsAt }),
  );
  const tenant = boot.value;
  const parts = {
    boot,
    test: await timed(() => test(tenant)),
    close: await timed(() => tenant.close()),
  };
  const sample = { all: 0, cpu: 0 };
  for (const [part, { ms, cpuMs }] of Object.entries(parts)) {
    sample[part] = ms;
    sample[`${part}Cpu`] = cpuMs;
    sample.all += ms;
    sample.cpu += cpuMs;
  }
  return sample;
}

async function timed(work) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const value = await work();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { value, ms, cpuMs: (user + system) / 1_000 };
}

async function test(tenant) {
  const { id } = await tenant.runner.start(Order, { orderId: 17 });
  await tenant.time.advance('70m');
  assert.equal(ledger.lines.length, 4);
  await tenant.time.advance('13d');
  await tenant.crash({ after: 'handler', workflow: Order, task: 'ship' });
  await tenant.signal(id, Approval, { approved: true });
  assert.ok(tenant.isDown);
  await tenant.restart();
  const order = await tenant.time.advanceUntil(id);
  assert.equal(order.status, 'Completed');
  assert.equal(ledger.lines.filter((line) => line === 'report').length, 13);
  assert.deepEqual(ledger.lines.slice(-2), ['ship', 'ship']);
}

function decorate(target, name, decorator) {
  decorator(target.prototype, name, Object.getOwnPropertyDescriptor(target.prototype, name));
}
