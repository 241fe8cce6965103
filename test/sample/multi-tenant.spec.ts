import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { connectAdmin } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { buildSample } from './build-sample.js';
import { expectAirportsOf, schemaOf, tenants } from './expect-airports.js';
import { expectedImports, rowCount } from './expected-import.js';
import { rowsOf, scratchDatabase } from '../support/scratch-database.js';
import { StartedSample } from './started-sample.js';

/** An import on a busy machine. */
const PATIENT = { deadline: 60_000 };

const inEnglish = (count: number): string => count.toLocaleString('en');

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

async function call(url: string, method = 'GET', body?: URLSearchParams): Promise<Answer> {
  const response = await fetch(url, {
    method,
    ...(body === undefined || body.size === 0 ? {} : { body }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

beforeAll(buildSample);

describe('npm start', () => {
  let database = '';
  let sample: StartedSample;
  let url = '';

  beforeAll(async () => {
    database = await scratchDatabase();
    sample = new StartedSample(database);
    url = await sample.ready();
  });
  const roleOfInitech = (): string => `initech_${new URL(database).pathname.slice(1)}`;
  const importsOf = (schema: string, where: string) =>
    rowsOf<{ status: string; rows: number }>(
      database,
      `SELECT status, (context ->> 'rows')::integer AS rows FROM ${schema}.cloacina_workflow_execution
       WHERE workflow = 'airport-import' AND ${where}`,
    );
  const names = async (): Promise<string[]> => {
    const response = await fetch(`${url}/tenants`);
    return ((await response.json()) as { name: string }[]).map(({ name }) => name).sort();
  };

  it.each(tenants)('prints what came out for %s', (tenant) => {
    const { airports, rejects, topCountries } = expectedImports[tenant];
    expect(sample.output).toContain(`Schema "tenant_${tenant}" created`);
    expect(sample.output).toContain(
      `loaded    ${inEnglish(airports.length)} of ${inEnglish(rowCount)} airports`,
    );
    expect(sample.output).toContain(`rejected  ${inEnglish(rejects.length)}: `);
    const top = topCountries.map(({ country, airports: n }) => `${country} ${inEnglish(n)}`);
    expect(sample.output).toContain(`most in   ${top.join(', ')}`);
    expect(sample.output).toMatch(new RegExp(`${tenant} +chunks [█░]{8} \\d of 8`));
    expect(sample.output).not.toMatch(/ERROR|WARN/i);
  });

  it.each(tenants)('loads the airports of %s, enriched, into its own schema', async (tenant) => {
    await expectAirportsOf(database, tenant);
    const [place] = await rowsOf<{ code: string; distance_km: number }>(
      database,
      `SELECT code, distance_km FROM tenant_${tenant}.airport
       JOIN tenant_${tenant}.country ON country.name = airport.country WHERE icao = 'LPPT'`,
    );
    expect(place?.code).toBe('PT');
    // Lisbon is Acme's base; to Singapore it is some 11,890 km.
    if (tenant === 'acme') expect(place?.distance_km).toBe(0);
    else expect(Math.abs((place?.distance_km ?? 0) - 11_890)).toBeLessThan(30);
  });

  it('imports the first rows for the tenant in public and for the one with a login of its own', async () => {
    for (const tenant of ['legacy', 'initech'] as const) await expectAirportsOf(database, tenant);
    const owners = await rowsOf<{ schema: string; owner: string }>(
      database,
      `SELECT DISTINCT schemaname AS schema, tableowner AS owner FROM pg_tables
        WHERE schemaname IN ('public', 'tenant_initech') ORDER BY 1`,
    );
    expect(owners).toEqual([
      { schema: 'public', owner: new URL(database).username },
      { schema: 'tenant_initech', owner: roleOfInitech() },
    ]);
  });

  it('serves that login with connections of its own, which reach nobody else, and tells its password nowhere', async () => {
    const role = roleOfInitech();
    const connected = await rowsOf<{ count: number }>(
      database,
      `SELECT count(*)::integer AS count FROM pg_stat_activity WHERE usename = '${role}'`,
    );
    expect(connected[0]?.count).toBeGreaterThan(0);
    const rights = await rowsOf(
      database,
      `SELECT n.nspname AS schema FROM pg_namespace n
        WHERE has_schema_privilege('${role}', n.oid, 'CREATE') ORDER BY 1`,
    );
    expect(rights).toEqual([{ schema: 'tenant_initech' }]);
    const readable = await rowsOf(
      database,
      `SELECT DISTINCT schemaname AS schema FROM pg_tables
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
          AND has_schema_privilege('${role}', schemaname, 'USAGE')
          AND has_table_privilege('${role}', format('%I.%I', schemaname, tablename), 'SELECT')`,
    );
    expect(readable).toEqual([{ schema: 'tenant_initech' }]);
    expect(sample.output).not.toMatch(/password|postgres:\/\//i);
  });

  it.each(tenants)('keeps the rows that %s rejects, with the reasons', async (tenant) => {
    const { rejects } = expectedImports[tenant];
    const rows = await rowsOf<{ row_number: number; reasons: string[]; icao: string }>(
      database,
      `SELECT row_number, reasons FROM tenant_${tenant}.rejected_row ORDER BY row_number`,
    );
    expect(rows).toEqual(rejects);
  });

  it.each(tenants)('reports on %s', async (tenant) => {
    const { airports, rejects, reasons, topCountries } = expectedImports[tenant];
    const { status, body } = await call(`${url}/tenants/${tenant}/report`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      rows: rowCount,
      loaded: airports.length,
      rejected: rejects.length,
      rejectReasons: reasons,
      topCountries,
    });
  });

  it('prints commands of which each works, one after the other', async () => {
    const answers: (Answer & { text: string })[] = [];
    for (const { text, method, url: target, form } of sample.commands()) {
      const answer = await call(target, method, form);
      answers.push({ text, ...answer });
      expect({ text, ...answer, ok: answer.status >= 200 && answer.status < 300 }).toMatchObject({
        ok: true,
      });
    }
    const bodiesOf = (part: string): unknown[] =>
      answers.filter(({ text }) => text.includes(part)).map(({ body }) => body);
    expect(answers.length).toBeGreaterThan(18);
    expect(bodiesOf('key=monday')).toMatchObject([{ created: true }, { created: false }]);
    expect(bodiesOf('delay=1h')).toMatchObject([{ created: true, status: 'Pending' }]);
    expect(bodiesOf('/cancel')).toMatchObject([{ status: 'Cancelled' }]);
    // It was cancelled before its time came, and keeps it.
    expect(bodiesOf('/retry')).toMatchObject([{ status: 'Pending' }]);
    const up = { acme: 'up', globex: 'up', initech: 'up', legacy: 'up' };
    expect(bodiesOf('/health')).toEqual([{ status: 'up', tenants: up }]);
    expect(bodiesOf('name=hooli')).toMatchObject([{ name: 'hooli', schema: 'tenant_hooli' }]);
    expect(bodiesOf('DELETE')).toEqual([{ dropped: ['schema "tenant_hooli"'] }]);
    expect(bodiesOf('/initech/report')).toMatchObject([{ rows: 500 }]);
  });

  it.each(tenants)(
    'completes the imports that were asked for, of %s',
    async (tenant) => {
      const items = await waitFor(async () => {
        const { body } = await call(`${url}/tenants/${tenant}/executions`);
        const found = body['items'] as { id: string; status: string }[];
        // One of acme's waits for its hour.
        const due = found.filter(({ status }) => status !== 'Pending');
        return due.every(({ status }) => status === 'Completed') && found;
      }, PATIENT);
      expect(items).toHaveLength(tenant === 'acme' ? 4 : 2);
      await expectAirportsOf(database, tenant);
    },
    90_000,
  );

  it('completes the order that was approved and paid', async () => {
    const order = await waitFor(async () => {
      const { body } = await call(`${url}/tenants/acme/orders/latest`);
      return body['status'] === 'Completed' ? body : undefined;
    }, PATIENT);
    expect(order['context']).toMatchObject({
      price: 18_000,
      approval: { by: 'ada' },
      payment: { amount: 18_000, reference: expect.any(String) },
      confirmation: expect.stringContaining('120 seats for 18000'),
    });
  });

  it('needs no approval of a cheap order, and refuses a callback that it has not signed', async () => {
    await call(`${url}/tenants/globex/orders`, 'POST', new URLSearchParams('seats=3'));
    const order = await waitFor(async () => {
      const { body } = await call(`${url}/tenants/globex/orders/latest`);
      return body['status'] === 'Completed' ? body : undefined;
    }, PATIENT);
    expect(order['tasks']).toMatchObject([
      { name: 'quote', status: 'Completed' },
      { name: 'approval', status: 'Skipped', skipReason: 'rule' },
      { name: 'requestPayment', status: 'Completed' },
      { name: 'payment', status: 'Completed' },
      { name: 'confirm', status: 'Completed' },
    ]);
    const forged = new URLSearchParams('reference=mine&amount=450');
    expect(await call(`${url}/callbacks/${'x'.repeat(80)}`, 'POST', forged)).not.toMatchObject({
      status: 200,
    });
  });

  it('cancels an import with its chunks, and goes on with what did not complete', async () => {
    const acme = `${url}/tenants/acme`;
    const latest = async (): Promise<Record<string, unknown>> =>
      (await call(`${acme}/executions/latest`)).body;
    const chunks = async (): Promise<Record<string, number> | undefined> =>
      ((await latest())['tasks'] as { items?: Record<string, number> }[])[1]?.items;
    const completed = async (): Promise<{ item_no: number; at: string }[]> =>
      rowsOf(
        database,
        `SELECT item_no, completed_at::text AS at FROM tenant_acme.cloacina_task_execution
          WHERE execution_id = '${String((await latest())['id'])}' AND item_no > 0 AND status = 'Completed'`,
      );
    // As long as the lock is held no chunk can load; only the last has nothing to load.
    const lock = await connectAdmin(database);
    let kept: { item_no: number; at: string }[] = [];
    try {
      await lock.query('BEGIN; LOCK TABLE tenant_acme.airport IN EXCLUSIVE MODE');
      await call(`${acme}/imports`, 'POST');
      await waitFor(async () => (await chunks())?.['total'] === 8, PATIENT);
      const { body } = await call(`${acme}/executions/latest/cancel`, 'POST');
      expect(body).toMatchObject({ status: 'Cancelled' });
      kept = await completed();
      expect(kept.filter(({ item_no }) => item_no < 8)).toEqual([]);
      expect(await chunks()).toMatchObject({ open: 0, failed: 8 - kept.length });
    } finally {
      await lock.end();
    }
    expect(await call(`${acme}/executions/latest/retry`, 'POST')).toMatchObject({ status: 200 });
    await waitFor(async () => (await latest())['status'] === 'Completed', PATIENT);
    expect(await chunks()).toMatchObject({ total: 8, completed: 8, failed: 0 });
    expect(await completed()).toEqual(expect.arrayContaining(kept));
    await expectAirportsOf(database, 'acme');
  });

  it('skips the branch for rejects where there are none, and reports all the same', async () => {
    const { body } = await call(`${url}/tenants/globex/executions/latest`);
    expect(body).toMatchObject({ status: 'Completed', context: { rows: 50, rejected: 0 } });
    expect(body['tasks']).toMatchObject([
      { name: 'fetch', status: 'Completed' },
      { name: 'chunks', status: 'Completed', items: { total: 1, completed: 1 } },
      { name: 'total', status: 'Completed' },
      { name: 'explainRejects', status: 'Skipped', skipReason: 'rule' },
      { name: 'report', status: 'Completed' },
    ]);
  });

  it('imports by schedules, in the time zones of the tenants', async () => {
    for (const [tenant, place] of [
      ['acme', 'lisbon'],
      ['initech', 'singapore'],
    ]) {
      const response = await fetch(`${url}/tenants/${tenant}/schedules`);
      expect(await response.json()).toMatchObject([
        { name: 'inbox', workflow: 'cloacina.poller.inbox', state: 'active' },
        { name: `monthly-import-${place}`, workflow: 'airport-import', state: 'active' },
      ]);
    }
    // One of the printed commands has run it.
    await waitFor(
      async () => (await importsOf('public', 'schedule IS NOT NULL'))[0]?.status === 'Completed',
      PATIENT,
    );
    const run = `${url}/tenants/legacy/schedules/monthly-import-singapore/run`;
    expect(await call(run, 'POST')).toMatchObject({ status: 404 });
  });

  it('imports each file that is dropped into the folder of a tenant, once', async () => {
    const drop = async (name: string, text: string): Promise<void> => {
      await mkdir(join(sample.inbox, 'legacy'), { recursive: true });
      await writeFile(join(sample.inbox, 'legacy', name), text);
    };
    const imported = (name: string) =>
      importsOf('public', `idempotency_key LIKE '${name}@%' AND status = 'Completed'`);
    await drop('broken.json', '{ "limit": ');
    await drop('monday.json', '{ "limit": 40 }');
    await waitFor(async () => (await imported('monday.json')).length === 1, PATIENT);
    await drop('tuesday.json', '{ "limit": 41 }');
    // When it is imported, another poll has seen the first file again or passed it over.
    await waitFor(async () => (await imported('tuesday.json')).length === 1, PATIENT);
    expect(await imported('monday.json')).toEqual([{ status: 'Completed', rows: 40 }]);
    await drop('broken.json', '{ "limit": 42 }');
    await waitFor(async () => (await imported('broken.json')).length === 1, PATIENT);
    expect(await imported('%.json')).toHaveLength(3);
  });

  it('has forgotten the tenant that was deleted', async () => {
    expect(await names()).toEqual(['acme', 'globex', 'initech', 'legacy']);
    expect(
      await rowsOf(database, `SELECT FROM pg_namespace WHERE nspname = 'tenant_hooli'`),
    ).toEqual([]);
    expect(await call(`${url}/tenants/hooli/executions`)).toMatchObject({ status: 404 });
  });

  it('adds a tenant once, whoever asks how often', async () => {
    const form = new URLSearchParams('name=pied_piper');
    const added = await Promise.all(
      Array.from({ length: 5 }, () => call(`${url}/tenants`, 'POST', form)),
    );
    expect(new Set(added.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(added.map(({ body }) => body['firstImport'])).size).toBe(1);
    await waitFor(
      async () => (await call(`${url}/tenants/pied_piper/report`)).status === 200,
      PATIENT,
    );
    const [count] = await rowsOf<{ count: number }>(
      database,
      'SELECT count(*)::integer AS count FROM tenant_pied_piper.airport',
    );
    expect(count?.count).toBe(expectedImports.legacy.airports.length);
  });

  it.each([
    ['GET', '/tenants/nobody/executions', '', 404],
    ['POST', '/tenants', 'name=Pied-Piper', 400],
    ['POST', '/tenants', '', 400],
    ['DELETE', '/tenants/nobody', '', 404],
    ['DELETE', '/tenants/legacy', '', 403],
    ['GET', '/tenants/acme/executions/none', '', 404],
    ['GET', '/tenants/acme/executions?limit=1000', '', 400],
    ['GET', '/tenants/acme/executions?cursor=x', '', 400],
    ['POST', '/tenants/acme/imports', 'limit=none', 400],
    ['POST', '/tenants/acme/imports', 'delay=soon', 400],
    ['POST', '/tenants/acme/imports', 'everything=now', 400],
    ['POST', '/tenants/acme/orders', 'seats=many', 400],
    ['GET', '/tenants/initech/orders/latest', '', 404],
    ['POST', '/tenants/globex/executions/latest/cancel', '', 409],
    ['POST', '/tenants/globex/executions/latest/retry', '', 409],
  ])('answers %s %s %s with %i', async (method, path, form, status) => {
    const answer = await call(url + path, method, new URLSearchParams(form));
    expect(answer).toMatchObject({ status, body: { message: expect.anything() } });
  });

  it('ends on Ctrl-C with exit code 0', async () => {
    expect(await sample.kill('SIGINT')).toBe(0);
  });

  it('finds schemas and data in place when it is started again, and imports nothing', async () => {
    // Each change of a row gives it a new xmin.
    const tables = [...tenants, 'legacy', 'initech', 'pied_piper'].flatMap((tenant) =>
      ['cloacina_workflow_execution', 'airport', 'country', 'rejected_row', 'import_report'].map(
        (table) => `${schemaOf(tenant)}.${table}`,
      ),
    );
    // The poller polls on.
    const imported = (table: string): string =>
      table.endsWith('_execution') ? `WHERE workflow NOT LIKE 'cloacina.%'` : '';
    const contents = (): Promise<object[]> =>
      rowsOf(
        database,
        tables
          .map(
            (table) =>
              `SELECT '${table}', count(*), max(xmin::text::bigint) FROM ${table} ${imported(table)}`,
          )
          // Sorted: the server may work on the parts side by side.
          .join(' UNION ALL ') + ' ORDER BY 1',
      );
    const before = await contents();
    const again = new StartedSample(database);
    url = await again.ready();
    expect(await names()).toEqual(['acme', 'globex', 'initech', 'legacy', 'pied_piper']);
    for (const tenant of ['acme', 'globex', 'initech', 'legacy'] as const) {
      const { airports } = expectedImports[tenant];
      expect(again.output).toContain(
        `schema ${schemaOf(tenant)} and its ${inEnglish(airports.length)} airports are in place`,
      );
    }
    expect(again.output).not.toMatch(/created: applied|chunks /);
    expect(await again.kill('SIGTERM')).toBe(0);
    expect(await contents()).toEqual(before);
  });
});
