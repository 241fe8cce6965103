import { expect, it } from '@jest/globals';
import { DatabaseUnavailableError } from '../../../lib/errors/index.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant } from '../../support/open-tenant.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const single = defineWorkflow('single')
  .task('only', () => undefined)
  .build();

it('Every call of the API says of a database that is away that it is unavailable', async () => {
  const proxy = await TcpProxy.start();
  const { runner, recovery, migrator } = await openTenant([single], {
    databaseUrl: proxy.url,
    startTimeoutMs: 50,
    shutdownTimeoutMs: 50,
  });
  const { id } = await runner.start(single, {}, { delay: '1h' });
  await proxy.refuse();
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'runner.start': () => runner.start(single),
    'runner.get': () => runner.get(id),
    'runner.list': () => runner.list(),
    'runner.cancel': () => runner.cancel(id),
    'runner.pause': () => runner.pause(id),
    'runner.resume': () => runner.resume(id),
    'runner.retry': () => runner.retry(id),
    'recovery.run': () => recovery.run(),
    'recovery.stats': () => recovery.stats(),
    'recovery.events': () => recovery.events(),
    'recovery.blocked': () => recovery.blocked(),
    'migrator.status': () => migrator.status(),
    'migrator.run': () => migrator.run(),
    'migrator.revert': () => migrator.revert(),
  };
  const wrong: unknown[] = [];
  for (const [name, call] of Object.entries(calls)) {
    const error: unknown = await call().then(
      () => 'nothing was thrown',
      (reason: unknown) => reason,
    );
    if (!(error instanceof DatabaseUnavailableError)) wrong.push([name, error]);
  }
  expect(wrong).toEqual([]);
});
