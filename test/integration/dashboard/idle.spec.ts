import { expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { SentStatements } from '../../support/sent-statements.js';
import { waitFor } from '../../support/wait-for.js';
import { Served } from './served.js';

const Approval = defineSignal<object>('approval');
const waiting = defineWorkflow('approve')
  .task('ask', async (context) => {
    await context.waitFor(Approval);
  })
  .build();

const WORLD: Readonly<Record<string, readonly string[] | 'all'>> = {
  ann: ['acme'],
  gus: ['globex', 'acme'],
  root: 'all',
};
const SECONDS = 180;

/** The statement of the series, which each read of a tenant sends once. */
const READ = 'percentile_disc';

it('ten open pages where nothing happens cost as much as one, and next to nothing', async () => {
  const sent = new SentStatements();
  const clock = new ManualClock({ startsAt: new Date() });
  const served = await Served.start(
    'Fastify',
    {
      path: 'ops/cloacina',
      tenants: ({ headers }) => WORLD[String(headers['x-user'])] ?? [],
    },
    [waiting],
    undefined,
    clock,
  );
  const closed = new AbortController();
  try {
    const { runner } = served.app.get(CloacinaTenants).get('acme');
    await runner.start(waiting, {});
    await waitFor(async () => (await runner.list({ waitingFor: 'approval' })).items.length > 0);
    sent.forget();
    const users = ['ann', 'gus', 'root'];
    const pages = Array.from({ length: 10 }, (_, no) =>
      fetch(`${served.origin}/api/events`, {
        headers: { 'x-user': users[no % users.length]! },
        signal: closed.signal,
      }),
    );
    expect((await Promise.all(pages)).map(({ status }) => status)).toEqual(Array(10).fill(200));
    await waitFor(() => sent.with(READ).length === 2);

    sent.forget();
    for (let second = 0; second < SECONDS; second++) {
      await clock.advance(1_000);
      // Time for the statements of a read, if one has begun.
      for (let no = 0; no < 5; no++) await runner.list({ limit: 1 });
    }
    // After 5, 15, 35, 75 and 135 s, of two tenants. Without the back-off it would be every 5 s.
    expect(sent.with(READ).length).toBeLessThanOrEqual(2 * 6);
  } finally {
    closed.abort();
    await served.app.close();
  }
});
