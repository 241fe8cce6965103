import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import {
  type OpenTenant,
  openTenant,
  openTenants,
  processEngineOf,
} from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const TENANTS = 60;
/** Of two statements, then, and with this lease every second. */
const PARTS = 2;
/** Tenants to a statement of a pass, which goes over all of them at once. */
const PASS_PART = 50;
const LEASE_MS = 3_000;

const query = Reflect.get(pg.Client.prototype, 'query') as (...args: unknown[]) => unknown;
afterEach(() => void Reflect.set(pg.Client.prototype, 'query', query));

/** The texts of what the process sends from now on. */
function statementsOf(tenant: OpenTenant): string[] {
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
  return texts;
}

const noop = defineWorkflow('noop')
  .task('only', () => undefined)
  .build();

describe('Rounds over idle tenants', () => {
  it('ask all that there is to ask in one statement for many tenants', async () => {
    const tenants = await openTenants(
      [noop],
      Array.from({ length: TENANTS }, () => ({ leaseDurationMs: LEASE_MS })),
    );
    const [first] = tenants as [OpenTenant];
    const namedIn = (text: string): number =>
      tenants.filter(({ schema }) => text.includes(`"${schema}"`)).length;
    // What the boot has left to ask is asked by then.
    const booting = statementsOf(first);
    const isOfRound = (text: string): boolean => namedIn(text) === TENANTS / PARTS;
    await waitFor(() => booting.filter(isOfRound).length >= 2 * PARTS);
    const texts = statementsOf(first);
    const asked = (): string[] => texts.filter((text) => namedIn(text) > 0);
    await waitFor(() => asked().filter(isOfRound).length >= 3 * PARTS);
    // A pass beside the rounds, as after a lost connection, divides the tenants otherwise, and asks for many at once too.
    for (const text of asked()) expect(namedIn(text)).toBeGreaterThanOrEqual(TENANTS % PASS_PART);
    // Some questions are asked in some rounds only, so each is counted by itself.
    const question = (text: string): string =>
      tenants.reduce((rest, { schema }) => rest.replaceAll(schema, ''), text);
    const ofRounds = asked().filter(isOfRound);
    for (const asks of new Set(ofRounds.map(question))) {
      const alike = ofRounds.filter((text) => question(text) === asks);
      for (const { schema } of tenants) {
        const times = alike.filter((text) => text.includes(`"${schema}"`)).length;
        expect(Math.abs(times - alike.length / PARTS)).toBeLessThanOrEqual(1);
      }
    }
    // No tenant has a timer, and none a lease.
    const timers = Reflect.get(processEngineOf(first), 'timers') as object;
    const wakeUps = Reflect.get(timers, 'timers') as object;
    expect((Reflect.get(wakeUps, 'timers') as Map<string, unknown>).size).toBe(0);
    for (const { engine } of tenants) expect(engine.lease.mayStand).toBe(false);
  });

  it('find what has become due without a word', async () => {
    const tenant = await openTenant([noop], { leaseDurationMs: LEASE_MS });
    const handle = await tenant.runner.start(noop, {}, { delay: '1h' });
    // Brought forward by somebody who tells nobody.
    await tenant.query('UPDATE cloacina_task_execution SET run_at = now()');
    expect((await handle.result({ timeout: '60s' })).status).toBe('Completed');
  });

  it('find a deadline that has passed without a word', async () => {
    const patient = defineWorkflow('patient', { timeout: '1h' })
      .task('first', () => undefined)
      .task('later', { dependsOn: ['first'] }, (context) =>
        context.deferUntil(() => false, { every: '1h' }),
      )
      .build();
    const tenant = await openTenant([patient], { leaseDurationMs: LEASE_MS });
    const handle = await tenant.runner.start(patient);
    await waitFor(async () => {
      const rows = await tenant.query(
        'SELECT FROM cloacina_task_execution WHERE deferred_since IS NOT NULL',
      );
      return rows.length === 1;
    });
    await tenant.query('UPDATE cloacina_workflow_execution SET deadline_at = now()');
    expect((await handle.result({ timeout: '60s', settled: true })).status).toBe('Failed');
  });
});
