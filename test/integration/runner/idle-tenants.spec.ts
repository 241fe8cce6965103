import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import {
  enginePartOf,
  type OpenTenant,
  openTenant,
  openTenants,
  processEngineOf,
} from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const TENANTS = 24;
const query = Reflect.get(pg.Client.prototype, 'query') as (...args: unknown[]) => unknown;
afterEach(() => void Reflect.set(pg.Client.prototype, 'query', query));

/** The texts of all statements that the process sends while `work` goes on. */
async function statementsDuring(tenant: OpenTenant, work: () => Promise<void>): Promise<string[]> {
  const { processId } = processEngineOf(tenant);
  const texts: string[] = [];
  Reflect.set(pg.Client.prototype, 'query', function (this: object, ...args: unknown[]): unknown {
    const parameters = Reflect.get(this, 'connectionParameters') as { application_name?: string };
    const [first] = args;
    if (parameters.application_name?.endsWith(processId) === true) {
      texts.push(typeof first === 'string' ? first : String(Reflect.get(Object(first), 'text')));
    }
    return Reflect.apply(query, this, args);
  });
  await work();
  Reflect.set(pg.Client.prototype, 'query', query);
  return texts;
}

const isSettled = async (tenants: readonly OpenTenant[]): Promise<boolean> => {
  await processEngineOf(tenants[0]!).renewOnce();
  return tenants.every(({ engine }) => !engine.isBusy && !engine.lease.mayStand);
};

describe('Idle tenants', () => {
  const free = gate();
  const workflow = defineWorkflow('sometimes')
    .task('only', async (context) => {
      if (context.has('wait')) await free.passed;
    })
    .build();

  it('cost no statement each: a sweep asks for all of them at once, a renewal for none', async () => {
    const tenants = await openTenants(
      [workflow],
      Array.from({ length: TENANTS }, () => ({})),
    );
    const [first] = tenants as [OpenTenant];
    // Each has been at work, so each has had a lease and what else there is to forget.
    await Promise.all(tenants.map(({ runner }) => runner.execute(workflow)));
    await waitFor(() => isSettled(tenants));
    const process = processEngineOf(first);
    const idle = await statementsDuring(first, async () => {
      for (let i = 0; i < 2; i++) {
        await process.sweepOnce();
        await process.renewOnce();
      }
    });
    // The library's own timers may add a sweep or a pass; whatever is sent is sent for all tenants at once.
    const forSome = (texts: readonly string[]): string[] =>
      texts.filter((text) => {
        const named = tenants.slice(1).filter(({ schema }) => text.includes(schema)).length;
        return named > 0 && named < TENANTS - 1;
      });
    expect(idle.length).toBeGreaterThanOrEqual(2);
    expect(idle.length).toBeLessThan(TENANTS / 2);
    for (const { schema } of tenants) expect(idle[0]).toContain(schema);
    expect(forSome(idle)).toEqual([]);
    // What is done for a tenant at work is done for that one alone.
    const handle = await first.runner.start(workflow, { wait: true });
    await waitFor(() => first.engine.claims.all()[0]?.stage === 'running');
    const working = await statementsDuring(first, async () => {
      await process.sweepOnce();
      await process.renewOnce();
      await waitFor(() => !enginePartOf(first, 'reconciler').isPending);
    });
    expect(working.length).toBeLessThan(TENANTS / 2);
    expect(forSome(working)).toEqual([]);
    free.open();
    await handle.result();
    await waitFor(() => isSettled(tenants));
    const afterwards = await statementsDuring(first, () => process.sweepOnce());
    expect(forSome(afterwards)).toEqual([]);
  });

  it('have their schedules read only if there are some, and firings only when one is due', async () => {
    const tenants = await openTenants([workflow], [{}, {}, {}]);
    const [first, second] = tenants as [OpenTenant, OpenTenant];
    const other = await openTenant([workflow], { schema: second.schema });
    const process = processEngineOf(first);
    const sweep = () => statementsDuring(first, () => process.sweepOnce());
    const isRead = (texts: readonly string[], { schema }: OpenTenant): boolean =>
      texts.some((text) => new RegExp(`"?${schema}"?\\."?cloacina_schedule"?\\s`).test(text));
    /** Waits for a sweep that reads the schedules of these tenants: the first one has looked whether there are any. */
    const untilRead = (expected: readonly OpenTenant[]) =>
      waitFor(async () => {
        const texts = await sweep();
        return tenants.every((tenant) => isRead(texts, tenant) === expected.includes(tenant));
      });
    await untilRead([]);
    const nextYear = { at: new Date(Date.now() + 365 * 86_400_000) };
    await other.runner.schedules.create('far', workflow, nextYear);
    await untilRead([second]);
    await first.runner.schedules.create('far', workflow, nextYear);
    await untilRead([first, second]);
    // What the news of a schedule has set off is over then: until it is due, there is nothing to look for.
    await waitFor(async () => {
      const texts = await sweep();
      return !texts.some((text) => text.includes('pauseAfterFailures'));
    });
  });
});
