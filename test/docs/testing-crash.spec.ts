import { fork } from './fork-worker.js';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { CloacinaModule, CloacinaRunner } from 'nestjs-cloacina';
import { Approval, Sale, Shop } from './sale.js';

const schema = 'crash_test';

test('another worker continues after a SIGKILL', async () => {
  const app = await Test.createTestingModule({
    imports: [CloacinaModule.forTenant({ schema, maxConcurrentTasks: 0 })],
    providers: [Sale, Shop],
  }).compile();
  await app.init();
  const runner = app.get(CloacinaRunner);

  // dist/worker.js boots the same module with the same schema, and tasks to run.
  const first = fork('dist/worker.js');
  const { id } = await runner.start(Sale, { amount: 250 });
  while (!(await isCharging(runner, id))) await delay(20);
  first.kill('SIGKILL');
  await once(first, 'exit');

  const second = fork('dist/worker.js');
  await runner.signal(id, Approval, { by: 'Ada' });
  const result = await runner.handle(id).result({ timeout: '60s' });
  expect(result.status).toBe('Completed');
  expect(result.tasks.some(({ recoveryAttempts }) => recoveryAttempts > 0)).toBe(true);

  const stopped = once(second, 'exit');
  second.kill('SIGTERM');
  await stopped;
  await app.close();
});

async function isCharging(runner: CloacinaRunner, id: string): Promise<boolean> {
  const sale = await runner.get(id);
  return sale?.tasks.some(({ name, status }) => name === 'charge' && status === 'Running') ?? false;
}
