import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { ROUTES } from '../../../lib/dashboard/openapi/routes.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { gate } from '../../support/gate.js';
import { waitFor } from '../../support/wait-for.js';
import { Served, UserGuard, type Platform } from './served.js';

const failing = defineWorkflow('charge')
  .task('pay', { retry: { maxAttempts: 1 } }, (context) => {
    throw new Error(`card ${String(context.get('card' as never))} refused`);
  })
  .build();
const Approval = defineSignal<{ ok: boolean }>('approval');
const waiting = defineWorkflow('approve')
  .task('ask', async (context) => {
    const answer = await context.waitFor(Approval);
    return { answer };
  })
  .build();

/** The URLs of all actions, by tenant: those of the document, which has all routes. */
function actionUrls(parameters: Readonly<Record<string, string>>): ((tenant: string) => string)[] {
  return ROUTES.filter(({ method }) => method === 'post').map(
    ({ path }) =>
      (tenant) =>
        path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
          name === 'tenant' ? tenant : parameters[name]!,
        ),
  );
}

const WORLD: Readonly<Record<string, readonly string[] | 'all'>> = {
  ann: ['acme', 'no such tenant'],
  gus: ['globex'],
  root: 'all',
};

describe.each<Platform>(['Express', 'Fastify'])('the dashboard on %s', (platform) => {
  let served: Served;
  let acme: CloacinaRunner;
  let globex: CloacinaRunner;
  beforeAll(async () => {
    const userOf = ({ headers }: { headers: Readonly<Record<string, unknown>> }): string =>
      String(headers['x-user']);
    served = await Served.start(
      platform,
      {
        path: 'ops/cloacina',
        guards: [UserGuard],
        tenants: (request) => WORLD[userOf(request)] ?? [],
        actor: (request) => userOf(request),
        redact: ['card'],
      },
      [failing, waiting],
    );
    const tenants = served.app.get(CloacinaTenants);
    acme = tenants.get('acme').runner;
    globex = tenants.get('globex').runner;
  });
  afterAll(() => served.app.close());

  async function failed(runner: CloacinaRunner, card: number): Promise<string> {
    const { id } = await runner.execute(
      'charge',
      { card, note: '<script>alert(1)</script>' },
      {
        settled: true,
      },
    );
    return id;
  }

  it('serves the page at each of its paths, with the base of the request and a strict policy', async () => {
    for (const [url, prefix] of [
      ['', ''],
      ['/', ''],
      ['/tenants/acme/executions/17', ''],
      ['', '/proxied'],
    ] as const) {
      const headers = prefix === '' ? {} : { 'x-forwarded-prefix': prefix };
      const { status, text, headers: answered } = await served.get(url, 'ann', headers);
      expect([status, text]).toEqual([
        200,
        expect.stringContaining(`<base href="${prefix}/v/ops/cloacina/">`),
      ]);
      expect(answered.get('content-type')).toMatch(/^text\/html/);
      expect(answered.get('content-security-policy')).toContain("script-src 'self';");
      expect(answered.get('content-security-policy')).not.toContain('unsafe');
    }
    const asset = await served.get('/assets/page-1.js');
    expect([asset.status, asset.text]).toEqual([200, 'export {};']);
    expect(asset.headers.get('content-type')).toMatch(/^text\/javascript/);
    expect(asset.headers.get('cache-control')).toContain('immutable');
    for (const url of ['/assets/..%2findex.html', '/assets/none.js', '/api/none']) {
      expect(await served.get(url)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
  });

  it('lets nobody in whom the guards refuse', async () => {
    for (const url of [
      '',
      '/assets/page-1.js',
      '/api/session',
      '/api/events',
      '/api/openapi.json',
      '/api/tenants/acme/executions',
    ]) {
      const response = await fetch(`${served.origin}${url}`);
      expect(response.status).toBe(403);
      await response.body?.cancel();
    }
    const action = await fetch(`${served.origin}/api/tenants/acme/bulk`, { method: 'POST' });
    expect(action.status).toBe(403);
  });

  it('shows only the tenants of the user', async () => {
    expect((await served.get('/api/session')).body).toMatchObject({
      actor: 'ann',
      readOnly: false,
      tenants: 1,
      tenantNames: ['acme'],
    });
    expect((await served.get('/api/session', 'root')).body.tenantNames).toEqual(['acme', 'globex']);
    expect((await served.get('/api/session', 'stranger')).body.tenantNames).toEqual([]);
    await failed(globex, 1);
    const seen = [
      await served.get('/api/overview'),
      await served.get('/api/tenants'),
      await served.get('/api/failures'),
      await served.get('/api/processes'),
    ];
    for (const { status, text } of seen) {
      expect(status).toBe(200);
      expect(text).not.toContain('globex');
    }
    const overview = await served.event('/api/events', ({ type, data }) =>
      type === 'overview' ? (data as object) : undefined,
    );
    expect(JSON.stringify(overview)).not.toContain('globex');
  });

  it('tells a tenant that the user may not see from none in no answer', async () => {
    const id = await failed(globex, 2);
    await globex.schedules.create('hidden', 'charge', { every: '1d' });
    const { nextCursor } = await globex.list({ limit: 1 }).then(async (page) => {
      await failed(globex, 3);
      return page.nextCursor === null ? globex.list({ limit: 1 }) : page;
    });
    const urls = (tenant: string): string[] => [
      `/api/tenants/${tenant}/executions`,
      `/api/tenants/${tenant}/executions?cursor=${nextCursor}`,
      `/api/tenants/${tenant}/executions?status=nonsense`,
      `/api/tenants/${tenant}/executions/${id}`,
      `/api/tenants/${tenant}/executions/${id}/history`,
      `/api/tenants/${tenant}/executions/${id}/explain`,
      `/api/tenants/${tenant}/executions/${id}/tree`,
      `/api/tenants/${tenant}/executions/${id}/values/card`,
      `/api/tenants/${tenant}/executions/${id}/items/pay`,
      `/api/tenants/${tenant}/workflows`,
      `/api/tenants/${tenant}/workflows/charge/versions`,
      `/api/tenants/${tenant}/schedules`,
      `/api/tenants/${tenant}/schedules/hidden`,
      `/api/tenants/${tenant}/schedules/hidden/preview`,
      `/api/tenants/${tenant}/schedules/hidden/firings`,
      `/api/tenants/${tenant}/limits`,
      `/api/tenants/${tenant}/actions`,
      `/api/tenants/${tenant}/actions?before=nonsense`,
      `/api/series?tenant=${tenant}`,
      `/api/failures?tenant=${tenant}`,
    ];
    const absent = urls('nowhere');
    for (const [i, url] of urls('globex').entries()) {
      const [hidden, none] = [await served.get(url), await served.get(absent[i]!)];
      expect([url, hidden.status, hidden.text]).toEqual([url, 404, none.text]);
    }
    const stream = (tenant: string): string => `/api/tenants/${tenant}/executions/${id}/events`;
    const [closed, unknown] = [
      await served.get(stream('globex')),
      await served.get(stream('nowhere')),
    ];
    expect([closed.status, closed.text]).toEqual([404, unknown.text]);
    const elsewhere = await served.get(stream('acme'));
    expect([elsewhere.status, elsewhere.body?.code]).toEqual([404, 'UNKNOWN_EXECUTION']);
    const bodies = [
      { name: 'x', action: 'cancel', filter: { all: true }, from: '2020-01-01', to: '2020-01-02' },
      // What is wrong is found only in a tenant that the user may see.
      { name: 7, action: 'x', filter: [], from: 'x', reason: {}, dryRun: 'x', catchUp: 'x' },
    ];
    const parameters = { id, group: 'g', schedule: 'hidden', workflow: 'charge' };
    for (const url of actionUrls(parameters)) {
      for (const body of bodies) {
        const [hidden, none] = [
          await served.post(url('globex'), body),
          await served.post(url('nowhere'), body),
        ];
        const told = [url('globex'), none.status, none.text];
        expect([url('globex'), hidden.status, hidden.text]).toEqual(told);
        if (body === bodies[0])
          expect([url('globex'), hidden.status]).toEqual([url('globex'), 404]);
      }
    }
    expect((await globex.schedules.get('hidden'))?.state).toBe('active');
    // Neither a search nor a cursor, whatever its place, tells that there is more.
    for (const [some, other] of [
      ['search=globex', 'search=nowhere'],
      ['after=glob', 'after=nowh'],
      ['limit=1&after=acme', 'limit=1&after=zzz'],
    ]) {
      const of = async (query: string) => (await served.get(`/api/tenants?${query}`)).text;
      expect(await of(some!)).toBe(await of(other!));
    }
    expect((await served.get('/api/tenants?limit=1')).body.nextCursor).toBeNull();
    // In a tenant of the user, an execution of another tenant does not exist either.
    const own = `/api/tenants/acme/executions`;
    const foreign = await served.get(`${own}/${id}`);
    const none = await served.get(`${own}/01890000-0000-7000-8000-000000000000`);
    expect([foreign.status, foreign.text]).toEqual([404, none.text]);
    expect((await served.get(`${own}?parent=${id}`)).body.items).toEqual([]);
    expect((await served.get(`${own}?cursor=${nextCursor}`)).text).not.toContain(id);
    expect((await served.get('/api/openapi.json')).text).not.toMatch(/acme|globex/);
  });

  it('streams nothing of a tenant that the user may not see', async () => {
    const seen: string[] = [];
    const opened = gate();
    const changed = served.event('/api/events', ({ type, data }) => {
      seen.push(JSON.stringify(data));
      opened.open();
      return type === 'changed' ? true : undefined;
    });
    // It begins with the numbers as they are. What changes before is told to none.
    await opened.passed;
    await failed(globex, 7);
    await failed(acme, 7);
    await changed;
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.join()).not.toContain('globex');
    const [elsewhere] = (await globex.list({ limit: 1 })).items;
    expect(seen.join()).not.toContain(elsewhere!.id);
  });

  it('serves the description of its API, with the path of the page as server', async () => {
    const { status, body } = await served.get('/api/openapi.json', 'ann', {
      'x-forwarded-prefix': '/proxied',
    });
    expect([status, body.openapi, body.servers]).toEqual([
      200,
      '3.1.0',
      [{ url: '/proxied/v/ops/cloacina' }],
    ]);
  });

  it('shows an execution with its tasks, history and causes, and hides secrets', async () => {
    const id = await failed(acme, 4711);
    const url = `/api/tenants/acme/executions/${id}`;
    const { body, text } = await served.get(url);
    expect(body).toMatchObject({
      tenant: 'acme',
      id,
      workflow: 'charge',
      status: 'Failed',
      failedTask: 'pay',
      context: {
        card: { kind: 'redacted' },
        note: { kind: 'json', value: '<script>alert(1)</script>' },
      },
      tasks: [{ name: 'pay', status: 'Failed', attempt: 1 }],
      graph: { name: 'charge', tasks: [{ name: 'pay' }] },
      actions: ['retry'],
    });
    expect(text).not.toContain('"value":4711');
    expect((await served.get(`${url}/values/note`)).body.value).toBe('<script>alert(1)</script>');
    expect((await served.get(`${url}/values/card`)).body.value).toBe('[redacted]');
    expect((await served.get(`${url}/values/none`)).status).toBe(404);
    const { entries } = (await served.get(`${url}/history`)).body;
    expect(entries.at(-1)).toMatchObject({ type: 'execution.ended', status: 'Failed' });
    expect((await served.get(`${url}/explain`)).body).toMatchObject({ executionId: id, tasks: [] });
    expect((await served.get(`${url}/tree`)).body).toMatchObject({ id, children: [] });
    const update = await served.event(`${url}/events`, ({ type, data }) =>
      type === 'execution' ? (data as object) : undefined,
    );
    expect(update).toMatchObject({ tenant: 'acme', id, status: 'Failed' });
  });

  it('lists executions in pages, by filters, and refuses invalid ones with a code', async () => {
    for (const no of [1, 2, 3]) {
      await acme.execute('charge', { card: no }, { settled: true, tags: { page: platform } });
    }
    const url = `/api/tenants/acme/executions?workflow=charge&status=Failed&status=Running&tag=page:${platform}&limit=2`;
    const first = (await served.get(url)).body;
    expect(first.items).toHaveLength(2);
    const second = (await served.get(`${url}&cursor=${first.nextCursor}`)).body;
    expect([second.items.length, second.nextCursor]).toEqual([1, null]);
    for (const query of [
      'status=nonsense',
      'limit=0',
      'cursor=x',
      'tag=x',
      'createdAfter=x',
      'parent=x',
    ]) {
      const { status, body, headers } = await served.get(`/api/tenants/acme/executions?${query}`);
      expect([query, status, body.code]).toEqual([query, 400, 'INVALID_ARGUMENT']);
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    }
  });

  it('hides tags with names of secrets in lists and histories', async () => {
    const tags = { card: 'number of the card', shop: 'north' };
    const { id } = await acme.execute('charge', { card: 1 }, { settled: true, tags });
    const url = `/api/tenants/acme/executions/${id}`;
    for (const { status, text } of [await served.get(url), await served.get(`${url}/history`)]) {
      expect([status, text]).toEqual([200, expect.stringContaining('north')]);
      expect(text).not.toContain('number of the card');
    }
  });

  it('groups failures and retries a group, after a count', async () => {
    const before = await acme.start('charge', { card: 5 });
    await before.result({ settled: true });
    await waitFor(async () => {
      const { groups } = (await served.get('/api/failures?tenant=acme')).body;
      return groups.some(({ examples }: { examples: string[] }) => examples.includes(before.id));
    });
    const { groups } = (await served.get('/api/failures')).body;
    expect(groups).toEqual([
      expect.objectContaining({
        tenant: 'acme',
        workflow: 'charge',
        task: 'pay',
        message: 'card … refused',
      }),
    ]);
    const url = `/api/tenants/acme/failures/${groups[0].id}/retry`;
    const counted = (await served.post(url, { dryRun: true })).body;
    expect(counted).toEqual({ matched: groups[0].count, changed: 0 });
    expect((await served.post(url)).body).toEqual({
      matched: groups[0].count,
      changed: groups[0].count,
    });
    const history = (await served.get(`/api/tenants/acme/executions/${before.id}/history`)).body;
    expect(history.entries).toContainEqual(
      expect.objectContaining({ type: 'execution.retried', actor: 'ann' }),
    );
    expect((await served.post('/api/tenants/acme/failures/none/retry')).status).toBe(404);
  });

  it('controls an execution in the name of the user, and only with the header and JSON', async () => {
    const { id } = await acme.start('approve', {});
    await waitFor(async () => (await acme.list({ waitingFor: 'approval' })).items.length > 0);
    const url = `/api/tenants/acme/executions/${id}`;
    expect(await served.post(`${url}/pause`, {}, 'ann', { 'x-cloacina-action': '' })).toMatchObject(
      {
        status: 403,
        body: { code: 'ACTION_HEADER_MISSING' },
      },
    );
    const form = { 'content-type': 'text/plain' };
    expect((await served.post(`${url}/pause`, {}, 'ann', form)).status).toBe(415);
    expect((await acme.get(id))?.status).toBe('Running');

    expect(await served.post(`${url}/pause`, { reason: 'lunch' })).toMatchObject({ status: 200 });
    expect((await served.get(url)).body).toMatchObject({ status: 'Paused', reason: 'lunch' });
    expect(await served.post(`${url}/retry`)).toMatchObject({
      status: 409,
      body: { code: 'INVALID_TRANSITION' },
    });
    expect(await served.post(`${url}/resume`, {}, 'root')).toMatchObject({ status: 200 });
    const signal = { name: 'approval', payload: { ok: true } };
    expect(await served.post(`${url}/signal`, signal)).toMatchObject({ status: 200 });
    await acme.handle(id).result();
    const { entries } = (await served.get(`${url}/history`)).body;
    const done = entries.map(({ type, actor }: { type: string; actor?: string }) => [type, actor]);
    expect(done).toContainEqual(['execution.paused', 'ann']);
    expect(done).toContainEqual(['execution.resumed', 'root']);
    expect(done).toContainEqual(['execution.signalled', 'ann']);

    const other = await acme.start('approve', {});
    const bulk = {
      action: 'cancel',
      filter: { workflow: 'approve' },
      reason: 'wrong',
      dryRun: true,
    };
    expect((await served.post('/api/tenants/acme/bulk', bulk)).body).toEqual({
      matched: 1,
      changed: 0,
      isCapped: false,
    });
    const real = { ...bulk, dryRun: false };
    expect((await served.post('/api/tenants/acme/bulk', real)).body).toEqual({
      matched: 1,
      changed: 1,
    });
    const ended = (await served.get(`/api/tenants/acme/executions/${other.id}/history`)).body
      .entries;
    expect(ended.at(-1)).toMatchObject({ status: 'Cancelled', reason: 'wrong', actor: 'ann' });
    expect(
      (await served.post('/api/tenants/acme/bulk', { action: 'cancel', filter: {} })).status,
    ).toBe(400);
  });

  it('controls schedules and workflows', async () => {
    await acme.schedules.create('nightly', 'charge', { every: '1d' }, { card: 9 });
    const url = '/api/tenants/acme/schedules';
    expect((await served.get(url)).body).toMatchObject({
      items: [{ name: 'nightly', input: { kind: 'json', value: { card: '[redacted]' } } }],
      nextCursor: null,
    });
    expect((await served.get(`${url}/nightly/preview?count=3`)).body.times).toHaveLength(3);
    expect((await served.post(`${url}/nightly/pause`, { reason: 'holiday' })).status).toBe(200);
    expect((await served.get(`${url}/nightly`)).body).toMatchObject({
      state: 'paused',
      reason: 'holiday',
    });
    expect((await served.post(`${url}/nightly/resume`, { catchUp: 'skip' })).status).toBe(200);
    const { executionId } = (await served.post(`${url}/nightly/run`)).body;
    expect(executionId).toEqual(expect.any(String));
    expect((await served.get(`${url}/nightly/firings`)).body.firings).toMatchObject([
      { outcome: 'manual', executionId },
    ]);
    const range = { from: '2020-01-01T00:00:00Z', to: '2020-01-03T00:00:00Z', dryRun: true };
    expect((await served.post(`${url}/nightly/backfill`, range)).body.changed).toBe(0);
    const empty = { from: '2020-01-01T00:00:00Z', to: '2020-01-01T00:00:00Z' };
    expect((await served.post(`${url}/nightly/backfill`, empty, 'root')).status).toBe(200);
    const cancelling = { ...range, overlap: 'cancelPrevious' };
    expect((await served.post(`${url}/nightly/backfill`, cancelling)).status).toBe(200);
    expect((await served.get(`${url}/none`)).body).toMatchObject({ code: 'UNKNOWN_SCHEDULE' });

    const workflows = '/api/tenants/acme/workflows';
    expect((await served.post(`${workflows}/charge/pause`, { reason: 'bank' })).status).toBe(200);
    const { items } = (await served.get(workflows)).body;
    expect(items).toContainEqual(
      expect.objectContaining({
        name: 'charge',
        paused: { reason: 'bank', since: expect.any(String) },
      }),
    );
    expect((await served.post(`${workflows}/charge/resume`)).status).toBe(200);
    const { versions } = (await served.get(`${workflows}/charge/versions`)).body;
    expect(versions).toMatchObject([{ open: { count: 0, isCapped: false } }]);
    expect((await served.get(`${workflows}/none/versions`)).body).toEqual({ versions: [] });
    const { items: acts, nextCursor } = (await served.get('/api/tenants/acme/actions?limit=5'))
      .body;
    expect(nextCursor).toBe(acts[4].id);
    const more = (await served.get(`/api/tenants/acme/actions?before=${nextCursor}`)).body;
    expect(more.nextCursor).toBeNull();
    expect([...acts, ...more.items]).toMatchObject([
      { kind: 'workflow.resumed', subject: 'charge', actor: 'ann' },
      { kind: 'workflow.paused', subject: 'charge', actor: 'ann', reason: 'bank' },
      { kind: 'schedule.backfilled', subject: 'nightly', actor: 'root' },
      { kind: 'schedule.run', subject: 'nightly', actor: 'ann', executionId },
      { kind: 'schedule.resumed', subject: 'nightly', actor: 'ann' },
      { kind: 'schedule.paused', subject: 'nightly', actor: 'ann', reason: 'holiday' },
    ]);
    const by = async (query: string): Promise<string[]> =>
      (await served.get(`/api/tenants/acme/actions?${query}`)).body.items.map(
        ({ kind }: { kind: string }) => kind,
      );
    expect(await by('actor=root')).toEqual(['schedule.backfilled']);
    expect(await by('actor=ann&subject=charge')).toEqual(['workflow.resumed', 'workflow.paused']);
    expect((await served.get('/api/tenants/acme/limits')).body).toEqual({
      items: [],
      nextCursor: null,
    });
  });

  it('streams overviews that change, to all pages from one source', async () => {
    const opened = gate();
    const changed = served.event('/api/events', ({ type, data }) => {
      opened.open();
      return type === 'changed' ? (data as { tenant: string; executions: string[] }) : undefined;
    });
    const grown = served.event('/api/events', ({ type, data }) =>
      type === 'overview' && data.counts.Failed.count > 0 ? (data as object) : undefined,
    );
    await opened.passed;
    const id = await failed(acme, 6);
    expect(await changed).toMatchObject({ tenant: 'acme' });
    expect(await grown).toMatchObject({ tenants: 1 });
    expect(id).toEqual(expect.any(String));
  });
});

it('open streams do not hold up the shutdown', async () => {
  const served = await Served.start('Express', { path: 'ops/cloacina' }, [failing]);
  const response = await fetch(`${served.origin}/api/events`);
  await served.app.close();
  await response.body?.cancel();
  expect(response.status).toBe(200);
});

it('refuses all actions in read-only mode, and changes nothing', async () => {
  const served = await Served.start(
    'Express',
    { path: 'ops/cloacina', readOnly: true, actor: () => 'ann' },
    [failing, waiting],
  );
  try {
    const { runner } = served.app.get(CloacinaTenants).get('acme');
    await runner.schedules.create('nightly', 'charge', { every: '1d' });
    const { id } = await runner.start('approve', {});
    await waitFor(async () => (await runner.list({ waitingFor: 'approval' })).items.length > 0);
    const before = await runner.history(id);
    const parameters = { id, group: 'g', schedule: 'nightly', workflow: 'charge' };
    const body = {
      name: 'approval',
      payload: { ok: true },
      action: 'cancel',
      filter: { all: true },
      from: '2020-01-01T00:00:00Z',
      to: '2020-01-03T00:00:00Z',
    };
    for (const url of actionUrls(parameters)) {
      const answer = await served.post(url('acme'), body);
      expect([url('acme'), answer.status, answer.body.code]).toEqual([
        url('acme'),
        403,
        'READ_ONLY',
      ]);
    }
    expect(await runner.history(id)).toEqual(before);
    expect(await runner.actions()).toEqual([]);
    expect(await runner.pausedWorkflows()).toEqual([]);
    expect((await served.get('/api/session')).body.readOnly).toBe(true);
    expect((await served.get(`/api/tenants/acme/executions/${id}`)).body.actions).toEqual([]);
  } finally {
    await served.app.close();
  }
});

it('limits the streams, and tells a page that gets none to poll', async () => {
  const options = { path: 'ops/cloacina', maxStreams: 2 };
  const served = await Served.start('Express', options, [failing]);
  const open = () => fetch(`${served.origin}/api/events`);
  try {
    const [first, second] = [await open(), await open()];
    const refused = await served.get('/api/events');
    expect(refused).toMatchObject({ status: 503, body: { code: 'TOO_MANY_STREAMS' } });
    expect(refused.headers.get('retry-after')).toBe('5');
    // The page of an execution counts too.
    const { runner } = served.app.get(CloacinaTenants).get('acme');
    const { id } = await runner.execute('charge', {}, { settled: true });
    const of = `/api/tenants/acme/executions/${id}/events`;
    expect((await served.get(of)).body).toMatchObject({ code: 'TOO_MANY_STREAMS' });
    await first.body?.cancel();
    await waitFor(async () => {
      const again = await open();
      await again.body?.cancel();
      return again.status === 200;
    });
    await second.body?.cancel();
  } finally {
    await served.app.close();
  }
});
