import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { sharedTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const Go = defineSignal<{ n: number }>('go');
const inTenant = sharedTenant();

/** A workflow that waits for a signal. */
const waiting = (name: string) =>
  defineWorkflow(name)
    .task('wait', async (context) => ({ went: await context.waitFor(Go) }))
    .build();

/** Each change of the execution by a caller, with the name of the caller. */
async function changesOf(runner: CloacinaRunner, id: string): Promise<string[]> {
  const changed = new Set([
    'execution.paused',
    'execution.resumed',
    'execution.retried',
    'execution.ended',
  ]);
  return ((await runner.history(id)) ?? [])
    .filter(({ type }) => changed.has(type))
    .map((entry) => `${entry.type.replace('execution.', '')} by ${nameIn(entry)}`);
}

function nameIn(entry: object): string {
  return 'actor' in entry ? String(entry.actor) : 'nobody known';
}

describe('The history names the actor', () => {
  it(
    'of each call for one execution',
    inTenant((serve) => {
      const of = serve(waiting('steered'));
      return async ({ runner }) => {
        const { id } = await runner.start(of);
        await runner.pause(id, { actor: 'Ann' });
        await runner.resume(id, { actor: 'Ben' });
        await runner.cancel(id, { actor: 'Cat' });
        await runner.retry(id, { actor: 'Dan' });
        await runner.cancel(id);
        expect(await changesOf(runner, id)).toEqual([
          'paused by Ann',
          'resumed by Ben',
          'ended by Cat',
          'retried by Dan',
          'ended by nobody known',
        ]);
      };
    }),
  );

  it(
    'of a call for a tree, in each of its executions',
    inTenant((serve) => {
      const child = serve(waiting('steered child'));
      const parent = serve(
        defineWorkflow('steered parent')
          .task('call', (context) => context.execute(child, {}))
          .build(),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(parent);
        const of = await waitFor(async () => (await runner.list({ parent: id })).items[0]);
        await runner.pause(id, { tree: true, actor: 'Ann' });
        await runner.resume(id, { tree: true, actor: 'Ben' });
        for (const each of [id, of.id]) {
          expect(await changesOf(runner, each)).toEqual(['paused by Ann', 'resumed by Ben']);
        }
        await runner.cancel(id);
      };
    }),
  );

  it(
    'of each call for many',
    inTenant((serve) => {
      const of = serve(waiting('steered by the dozen'));
      return async ({ runner }) => {
        const { ids } = await runner.startMany(of, [{}, {}]);
        const filter = { workflow: of };
        await runner.pauseMany(filter, { actor: 'Ann' });
        await runner.resumeMany(filter, { actor: 'Ben' });
        await runner.cancelMany(filter, { actor: 'Cat' });
        await runner.retryMany({ ...filter, status: 'Cancelled' }, { actor: 'Dan' });
        for (const id of ids) {
          expect(await changesOf(runner, id)).toEqual([
            'paused by Ann',
            'resumed by Ben',
            'ended by Cat',
            'retried by Dan',
          ]);
        }
        await runner.cancelMany(filter);
      };
    }),
  );

  it(
    'also of a call that goes to the background',
    inTenant((serve) => {
      const of = serve(waiting('steered later'));
      return async ({ runner }) => {
        const { id } = await runner.start(of);
        const later = await runner.cancelMany({ workflow: of }, { actor: 'Ann', background: true });
        await later.result();
        expect(await changesOf(runner, id)).toEqual(['ended by Ann']);
      };
    }),
  );
});
