import fc from 'fast-check';
import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { sized } from '../../support/sizes.js';
import { programs, resultsOf } from './kit-programs.js';

// Recoveries and crashes on purpose: the warnings would drown the report.
Logger.overrideLogger(false);

it('random programs have the same results in memory and on PostgreSQL', async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      expect(await resultsOf(program, 'postgres')).toEqual(await resultsOf(program, 'memory'));
    }),
    // Each program is an application on a schema of its own, so a smaller one that fails is not looked for at length.
    { numRuns: sized(60, 2), endOnFailure: true },
  );
});
