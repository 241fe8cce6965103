import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg, { type Client } from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { type OpenTenant, openTenant, processEngineOf } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { Stranger } from '../recovery/stranger.js';

const NOTIFICATIONS = 20_000;
/** A payload by which the test knows that all before it have been heard. */
const LAST = 'the last one';

const free = gate();
let begun = 0;
const held = defineWorkflow('held')
  .task('only', async () => {
    begun++;
    await free.passed;
  })
  .build();
const noop = defineWorkflow('noop')
  .task('only', () => undefined)
  .build();

let tenant: OpenTenant;
let stranger: Client;
let running: string;
beforeAll(async () => {
  tenant = await openTenant([held, noop], { leaseDurationMs: 3_000, maxConcurrentTasks: 2 });
  stranger = await (await Stranger.create()).connect();
  running = (await tenant.runner.start(held)).id;
  await waitFor(() => begun === 1);
});
afterAll(() => free.open());

/** The texts of what the process has sent since, and what comes of it. */
function watch(): { texts: string[]; stop: () => void } {
  const query = Reflect.get(pg.Client.prototype, 'query') as (...args: unknown[]) => unknown;
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
  return { texts, stop: () => void Reflect.set(pg.Client.prototype, 'query', query) };
}

/** Resolves when the process has heard all of it. */
async function flood(payload: (i: number) => string, length = NOTIFICATIONS): Promise<void> {
  const session: unknown = Reflect.get(processEngineOf(tenant).session ?? {}, 'session');
  const control = session as Client;
  const heard = new Promise<void>((resolve) => {
    const listen = (message: pg.Notification): void => {
      if (message.payload !== LAST) return;
      control.off('notification', listen);
      resolve();
    };
    control.on('notification', listen);
  });
  const payloads = Array.from({ length }, (_, i) => payload(i));
  // A transaction sends equal payloads once only, so each goes by itself.
  await stranger.query(
    `DO $$ DECLARE p text; BEGIN
       FOR p IN SELECT * FROM json_array_elements_text('${JSON.stringify(payloads)}') LOOP
         PERFORM pg_notify('cloacina', p); COMMIT;
       END LOOP;
     END $$`,
  );
  await stranger.query("SELECT pg_notify('cloacina', $1)", [LAST]);
  await heard;
}

/** Asks behind all that waits for the control connection. */
async function askLast(): Promise<void> {
  const { session } = processEngineOf(tenant);
  await Reflect.apply(
    Reflect.get(session ?? {}, 'livingLocks') as () => Promise<unknown>,
    session,
    [],
  );
}

const address = (): string => tenant.engine.settings.address;
const floods: [string, (i: number) => string][] = [
  ['hello', () => 'h'],
  ['new tenants', () => 't'],
  ['work', () => `w${address()}`],
  ['the end of an execution that is waited for', () => `e${address()}${running}`],
  ['the cancellation of one that runs', () => `c${address()}${running}`],
  ['a pause of one that runs', () => `p${address()}${running}`],
  ['all of them', (i) => floods[i % 6]?.[1](i) ?? ''],
];

describe('A flood of notifications from a role without rights', () => {
  it.each(floods)(
    'of %s makes few statements, and nothing of it is believed',
    async (_, payload) => {
      tenant.runner
        .handle(running)
        .result()
        .catch(() => undefined);
      const { texts, stop } = watch();
      try {
        await flood(payload);
        // The last of what the flood has made the process ask, if it asks one after the other.
        await askLast();
        // In all, also what regular looks ask meanwhile, which last as long as the flood does.
        expect(texts.length).toBeLessThan(NOTIFICATIONS / 20);
      } finally {
        stop();
      }
      expect((await tenant.runner.get(running))?.status).toBe('Running');
      expect((await tenant.runner.execute(noop)).status).toBe('Completed');
      expect(begun).toBe(1);
    },
  );

  it('is heard, also behind long payloads: what is watched here shows what it makes the process ask', async () => {
    const { texts, stop } = watch();
    try {
      await flood((i) => (i === 0 ? 'h' : `e${'x'.repeat(7_000)}`), 1_000);
      await waitFor(() => texts.some((text) => text.includes('pg_locks')));
    } finally {
      stop();
    }
  });

  it('lets the leases be renewed first, whatever waits for the control connection', async () => {
    const { session } = processEngineOf(tenant);
    const order: string[] = [];
    const { texts, stop } = watch();
    try {
      const looks = Array.from({ length: 5 }, () =>
        Reflect.apply(
          Reflect.get(session ?? {}, 'livingLocks') as () => Promise<unknown>,
          session,
          [],
        ).then(() => order.push('look')),
      );
      const renewal = processEngineOf(tenant)
        .renewOnce()
        .then(() => order.push('renewal'));
      await Promise.all([...looks, renewal]);
    } finally {
      stop();
    }
    // The first look was under way.
    expect(order.indexOf('renewal')).toBeLessThan(3);
    expect(texts.some((text) => text.includes('expires_at'))).toBe(true);
    free.open();
    expect((await tenant.runner.handle(running).result()).status).toBe('Completed');
    expect(begun).toBe(1);
  });
});
