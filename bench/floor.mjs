import pg from 'pg';
import { v7 as uuid } from 'uuid';
import { loadBuiltModule } from './measure/built-library.mjs';

const { ClaimBatches } = await loadBuiltModule('store/postgres/claim-batches.js');
const { completeOn } = await loadBuiltModule('store/postgres/complete-on.js');
const { startStatement } = await loadBuiltModule('store/postgres/statements/start-executions.js');
const { byLockOrder } = await loadBuiltModule('store/port/lock-order.js');
const { FIRST_TOKEN } = await loadBuiltModule('store/port/claims.js');
const { tenantTables } = await loadBuiltModule('store/postgres/statements/statement.js');
const { createPools } = await loadBuiltModule('store/postgres/connections/pools.js');

/**
 * The floor: the library's two hot statements in batches and nothing else. No workflows, no handlers, no contexts, no
 * promises an item; what is left is what PostgreSQL and the driver need. The library can't be faster.
 */
const BATCH = 300;
const IN_FLIGHT = 1_200;
const RAW = { getTypeParser: () => (value) => value };
const CLAIMANT = {
  instanceId: uuid(),
  processId: uuid(),
  name: 'floor',
  lockEpoch: null,
  lockSession: null,
  leaseDurationMs: 30_000,
};
const LEASE = { claimant: CLAIMANT, write: false };

export async function openFloor(url, schema) {
  const pools = createPools({
    clock: performance,
    connection: { connectionString: url },
    poolSize: 10,
    applicationName: 'floor',
  });
  const tables = tenantTables(pg.escapeIdentifier(schema));
  const texts = new Map();
  const run = async (statement, values) => {
    let text = texts.get(statement);
    if (text === undefined) texts.set(statement, (text = statement.text(tables)));
    const query = { name: statement.name, text, values, rowMode: 'array', types: RAW };
    const result = await pools.turns.statements.withConnection(texts, (client) =>
      client.query(query),
    );
    return statement.columns.decode(result.rows);
  };
  const database = { run, batches: new ClaimBatches() };
  return {
    idle: (length, count) => idle(database, planOf(length), count),
    throughput: (length, count) => throughput(database, planOf(length), count),
    close: () => pools.end(),
  };
}

/** A chain of `length` tasks. No process serves definition 0. */
function planOf(length) {
  return {
    definitionId: 0,
    workflow: 'floor',
    timeoutMs: null,
    leaves: 1,
    pendingDependencies: Array.from({ length }, (_, no) => Math.min(no, 1)),
    rootOrdinals: Array.from({ length }, (_, no) => (no === 0 ? 0 : -1)),
    priorities: new Array(length).fill(0),
  };
}

function startItem(plan) {
  return {
    id: uuid(),
    plan,
    input: '{}',
    priority: 0,
    runAt: null,
    delayMs: null,
    idempotencyKey: null,
    tags: null,
    claims: 1,
    hasWaiters: false,
  };
}

function outcome({ id, taskNo, token }, plan) {
  const last = taskNo === plan.priorities.length - 1;
  return {
    executionId: id,
    taskNo,
    itemNo: 0,
    token,
    status: 'Completed',
    output: null,
    detail: null,
    leaf: last,
    dependents: last ? [] : [{ taskNo: taskNo + 1, claim: true }],
    handles: [],
    finalContext: last ? '{}' : null,
  };
}

/** Starts executions, and returns the claims of their root tasks. */
async function start({ run, batches }, items) {
  const open = batches.open();
  await run(...startStatement(items, LEASE, open.no, { keyed: false }));
  const batch = open.stored(items.length);
  return items.map(({ id }) => ({ id, taskNo: 0, token: FIRST_TOKEN, batch }));
}

/** Completes claimed tasks, and returns the claims of their dependents. */
async function complete({ run, batches }, claims, plan) {
  const outcomes = claims.map((claim) => outcome(claim, plan)).sort(byLockOrder);
  const completion = await completeOn({ run }, outcomes, LEASE, batches.open(true), false);
  if (completion.accepted.includes(false)) throw new Error('The floor lost a claim.');
  for (const { batch } of claims) batch?.claimEnded();
  return {
    ended: completion.ended.length,
    next: completion.readied.map((ready) => ({
      id: outcomes[ready.outcome].executionId,
      taskNo: ready.taskNo,
      token: ready.token,
      batch: completion.batch,
    })),
  };
}

/** Executions a second, with starts and completions each on a connection of their own. */
async function throughput(database, plan, count) {
  let toStart = count;
  let inFlight = 0;
  let claims = [];
  let wake = () => {};
  const woken = () => new Promise((resolve) => (wake = resolve));
  const began = performance.now();
  const starting = (async () => {
    while (toStart > 0) {
      const items = Array.from({ length: Math.min(BATCH, toStart, IN_FLIGHT - inFlight) }, () =>
        startItem(plan),
      );
      if (items.length === 0) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      toStart -= items.length;
      inFlight += items.length;
      claims.push(...(await start(database, items)));
      wake();
    }
  })();
  for (let left = count; left > 0;) {
    if (claims.length === 0) await woken();
    const { ended, next } = await complete(database, claims.splice(0, BATCH), plan);
    claims.push(...next);
    inFlight -= ended;
    left -= ended;
  }
  await starting;
  return (count / (performance.now() - began)) * 1_000;
}

/** Milliseconds from the start to the recorded end of one execution, with nothing else going on. */
async function idle(database, plan, count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    let claims = await start(database, [startItem(plan)]);
    while (claims.length > 0) claims = (await complete(database, claims, plan)).next;
    times.push(performance.now() - began);
  }
  return times;
}
