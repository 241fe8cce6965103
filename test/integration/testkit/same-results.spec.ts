import fc from 'fast-check';
import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { cases, sized } from '../../support/sizes.js';
import { programs, resultsOf } from './kit-programs.js';

// Recoveries and crashes on purpose: the warnings would drown the report.
Logger.overrideLogger(false);

/** Parts of ten programs, so that none takes as long as a test may. */
const PARTS = cases([1, 2, 3, 4, 5, 6], (part) => part === 1);

it.each(PARTS)(
  'random programs have the same results in memory and on PostgreSQL, part %i',
  async () => {
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        expect(await resultsOf(program, 'postgres')).toEqual(await resultsOf(program, 'memory'));
      }),
      // Each program is an application on a schema of its own, so a smaller one that fails is not looked for at length.
      { numRuns: sized(10, 2), endOnFailure: true },
    );
  },
);
