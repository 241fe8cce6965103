import { expect, test } from '@jest/globals';
import { startChild } from '../../support/child-process.js';
import { freshSchema } from '../../support/postgres.js';

interface Result {
  readonly places: readonly [string, string];
  readonly warnings: readonly string[];
}

test('workflows and errors of another copy of the package are understood, and it is said that there are two', async () => {
  const child = startChild(new URL('two-copies-process.ts', import.meta.url), {
    env: { SCHEMA: freshSchema() },
  });
  const result = await child.message<Result>(() => true);
  expect(result).toMatchObject({
    attempts: { final: 1, later: 2 },
    statuses: ['Failed', 'Completed'],
    instances: {
      base: true,
      same: true,
      other: false,
      error: true,
      subclass: true,
      ofSubclass: false,
      kinds: false,
    },
  });
  const [first, second] = result.places;
  expect(result.warnings).toEqual([
    expect.stringContaining(`nestjs-cloacina was loaded 2 times: `),
  ]);
  expect(result.warnings[0]).toContain(`(${first}) and 0.0.9 (${second}). `);
  expect(await child.exit).toEqual({ code: 0, signal: null });
});
