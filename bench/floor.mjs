import pg from 'pg';
import { v7 as uuid } from 'uuid';
import { loadBuiltModule } from './measure/built-library.mjs';

const { completeTasks, completionValues, decodeCompletion, sortOutcomes } = await loadBuiltModule(
  'store/postgres/statements/complete-tasks.js',
);
const { startExecutions, startValues } = await loadBuiltModule(
  'store/postgres/statements/start-executions.js',
);
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

export async function openFloor(url, schema) {
  const pools = createPools({
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
    return (await pools.turns.statements.lend(texts, (client) => client.query(query))).rows;
  };
  return {
    idle: (length, count) => idle(run, planOf(length), count),
    throughput: (length, count) => throughput(run, planOf(length), count),
    close: () => pools.end(),
  };
}

/** A chain of so many tasks; definition 0 is nobody's. */
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
    claims: 1,
  };
}

function outcome({ id, taskNo, token }, plan) {
  const last = taskNo === plan.priorities.length - 1;
  return {
    executionId: id,
    taskNo,
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

async function complete(run, claims, plan) {
  const outcomes = sortOutcomes(claims.map((claim) => outcome(claim, plan)));
  const rows = await run(completeTasks, completionValues(outcomes, CLAIMANT, false));
  const completion = decodeCompletion(rows, outcomes.length);
  if (completion.accepted.includes(false)) throw new Error('The floor lost a claim.');
  return {
    ended: completion.ended.length,
    next: completion.readied.map((ready) => ({
      id: outcomes[ready.outcome].executionId,
      taskNo: ready.taskNo,
      token: ready.token,
    })),
  };
}

/** Executions a second, with starts and completions each on a connection of their own. */
async function throughput(run, plan, count) {
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
      await run(startExecutions, startValues(items, CLAIMANT, false));
      for (const { id } of items) claims.push({ id, taskNo: 0, token: 1 });
      wake();
    }
  })();
  for (let left = count; left > 0;) {
    if (claims.length === 0) await woken();
    const { ended, next } = await complete(run, claims.splice(0, BATCH), plan);
    claims.push(...next);
    inFlight -= ended;
    left -= ended;
  }
  await starting;
  return (count / (performance.now() - began)) * 1_000;
}

/** Milliseconds from the start to the recorded end of one execution, with nothing else going on. */
async function idle(run, plan, count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    const item = startItem(plan);
    await run(startExecutions, startValues([item], CLAIMANT, false));
    let claims = [{ id: item.id, taskNo: 0, token: 1 }];
    while (claims.length > 0) claims = (await complete(run, claims, plan)).next;
    times.push(performance.now() - began);
  }
  return times;
}
