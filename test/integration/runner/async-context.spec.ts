import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { currentTask } from '../../../lib/engine/execution/current-task.js';
import type { RunnerCalls } from '../../../lib/runner/runner-wiring.js';
import { gate } from '../../support/gate.js';
import { openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const request = new AsyncLocalStorage<string>();

describe('The async context of a handler', () => {
  it('is its own: not the request that started it, nor the task', async () => {
    const seen: unknown[] = [];
    const child = defineWorkflow('child')
      .task('first', () => void seen.push(request.getStore(), currentTask()?.taskName))
      .task(
        'second',
        { dependsOn: ['first'] },
        () => void seen.push(request.getStore(), currentTask()?.taskName),
      )
      .build();
    const parent = defineWorkflow('parent')
      .task('only', async () => ({ id: (await tenant.runner.start(child)).id }))
      .build();
    const tenant = await openTenant([child, parent]);
    await request.run('of a user', () => tenant.runner.execute(child));
    expect(seen.splice(0)).toEqual([undefined, 'first', undefined, 'second']);
    const { context } = await request.run('of another', () => tenant.runner.execute(parent));
    await tenant.runner.handle(String(context['id'])).result();
    expect(seen).toEqual([undefined, 'first', undefined, 'second']);
  });

  it('does not reach those who watch events: they may start and wait', async () => {
    const workflow = defineWorkflow('watched')
      .task('only', async (context) => {
        if (!context.has('child')) await tenant.runner.start(workflow, { child: true });
      })
      .build();
    const tenant = await openTenant([workflow]);
    const ended: unknown[] = [];
    tenant.runner.events$.subscribe((event) => {
      if (event.type !== 'execution.ended') return;
      ended.push(request.getStore(), currentTask());
      if (ended.length === 4) {
        tenant.runner.execute(workflow, { child: true }, { settled: true }).then(
          (result) => ended.push(result.status),
          (error: unknown) => ended.push(error),
        );
      }
    });
    await request.run('of a user', () => tenant.runner.execute(workflow));
    await waitFor(() => ended.length >= 7);
    expect(ended.filter((each) => each !== undefined)).toEqual(['Completed']);
  });

  it('is not held by waits that are over', async () => {
    const free = gate();
    const workflow = defineWorkflow('waited')
      .task('only', () => free.passed)
      .build();
    const tenant = await openTenant([workflow]);
    const { served } = Reflect.get(tenant.runner, 'calls') as RunnerCalls;
    const { signal } = Reflect.get(served, 'closing') as AbortController;
    const handle = await tenant.runner.start(workflow);
    await expect(handle.result({ timeout: 20 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
    const waits = Array.from({ length: 5 }, () => handle.result());
    free.open();
    await Promise.all(waits);
    for (let i = 0; i < 20; i++) await handle.result();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(tenant.engine.waiters.size).toBe(0);
  });
});
