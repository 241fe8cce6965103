import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { type OpenTenant, openTenants } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const FLOOD = 20_000;
/** What is claimed ahead in the flooding tenant, and what its statements under way may bring, is far less. */
const MAX_BEFORE = 5_000;

describe('A flood in one tenant', () => {
  it('holds up the executions of the others for no more than a part of it', async () => {
    const flooded = { count: 0 };
    const noop = defineWorkflow('noop')
      .task('only', ({ tenant }) => {
        if (tenant === 'flood') flooded.count++;
      })
      .build();
    const tenants = await openTenants(
      [noop],
      ['flood', 'b', 'c', 'd'].map((tenant) => ({ tenant })),
    );
    const [flood, ...others] = tenants as [OpenTenant, ...OpenTenant[]];
    const starts = Promise.all(Array.from({ length: FLOOD }, () => flood.runner.start(noop)));
    await waitFor(() => flooded.count > 100);
    const before: number[] = [];
    while (flooded.count < FLOOD - MAX_BEFORE) {
      for (const { runner } of others) {
        const at = flooded.count;
        const result = await runner.execute(noop);
        expect(result.status).toBe('Completed');
        before.push(flooded.count - at);
      }
    }
    expect(before.length).toBeGreaterThan(2);
    expect(Math.max(...before)).toBeLessThan(MAX_BEFORE);
    await starts;
    await waitFor(() => flooded.count === FLOOD);
  }, 180_000);
});
