import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { TaskCallHandler, TaskInterceptor } from '../../../lib/discovery/task-interceptor.js';
import { TaskInterceptors } from '../../../lib/engine/execution/task-interceptors.js';

const context = {
  workflow: 'order',
  taskName: 'charge',
  signal: new AbortController().signal,
} as TaskContext;
const warn = jest.fn();
beforeAll(() => Logger.overrideLogger({ log: warn, warn, error: warn }));
afterAll(() => Logger.overrideLogger(false));
beforeEach(() => void warn.mockClear());

class Forgetful implements TaskInterceptor {
  async intercept(_context: TaskContext, next: TaskCallHandler): Promise<void> {
    await next.handle();
  }
}
class Dropping implements TaskInterceptor {
  async intercept(_context: TaskContext, next: TaskCallHandler): Promise<null> {
    await next.handle();
    return null;
  }
}
class Passing implements TaskInterceptor {
  intercept(_context: TaskContext, next: TaskCallHandler): Promise<unknown> {
    return next.handle();
  }
}

function around(interceptor: TaskInterceptor): (handler: () => unknown) => unknown {
  const interceptors = new TaskInterceptors();
  interceptors.use([new Passing(), interceptor]);
  return (handler) => interceptors.around(context, handler);
}

it('warns once of an interceptor that returns nothing where there was a result', async () => {
  const run = around(new Forgetful());
  for (let i = 0; i < 2; i++) expect(await run(() => ({ paid: true }))).toBeUndefined();
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn).toHaveBeenCalledWith(
    'The task interceptor Forgetful returned undefined, so the result of task charge of order is dropped: ' +
      'return what next.handle() resolves to, or null to drop it.',
    'Cloacina',
  );
});

it.each<[string, TaskInterceptor, unknown]>([
  ['passes a result on', new Passing(), { paid: true }],
  ['drops it on purpose', new Dropping(), { paid: true }],
  ['returns nothing of a task without a result', new Forgetful(), undefined],
])('says nothing of one that %s', async (_what, interceptor, result) => {
  await around(interceptor)(() => result);
  expect(warn).not.toHaveBeenCalled();
});
