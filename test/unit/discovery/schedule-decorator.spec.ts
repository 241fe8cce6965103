import { describe, expect, it } from '@jest/globals';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import type { JsonObject } from '../../../lib/discovery/context-types.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import {
  declareSchedules,
  Schedule,
  schedulesOf,
} from '../../../lib/discovery/schedule.decorator.js';

describe('@Schedule', () => {
  it('takes a cron expression, or all options, as often as it is given', () => {
    @Schedule('0 2 * * *', { name: 'nightly', timezone: 'Europe/Lisbon' })
    @Schedule('@hourly')
    @Schedule({ name: 'often', every: '15m', aligned: true })
    class Totals {}
    expect(schedulesOf(Totals)).toEqual([
      { name: 'nightly', cron: '0 2 * * *', timezone: 'Europe/Lisbon' },
      { cron: '@hourly' },
      { name: 'often', every: '15m', aligned: true },
    ]);
    expect(declareSchedules('Totals', 'totals', schedulesOf(Totals)).problems).toEqual([]);
  });

  it('names what is wrong with the expression', () => {
    @Schedule('0 25 * * *')
    class Totals {}
    const { problems } = declareSchedules('Totals', 'totals', schedulesOf(Totals));
    expect(problems).toEqual([expect.stringContaining('Totals, schedule "totals": cron ')]);
  });

  it.each<[unknown, string]>([
    ['4711', 'input must be an object'],
    [[1], 'input must be an object'],
    [{ since: { at: 1n } }, 'input.since.at '],
  ])('names what is wrong with the input %p', (input, problem) => {
    const { problems } = declareSchedules('Totals', 'totals', [
      { every: '1h', input: input as JsonObject },
    ]);
    expect(problems).toEqual([expect.stringContaining(`Totals, schedule "totals": ${problem}`)]);
  });

  it('refuses turns for a workflow with an admission', () => {
    const definition = defineWorkflow('totals', {
      admission: { concurrency: 1, whenFull: 'queue' },
      schedule: { every: '1h', overlap: 'queue' },
    })
      .task('sum', () => undefined)
      .build();
    if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
    expect(describeDefinition({ definition, module: 'Totals' }).problems).toEqual([
      expect.stringContaining("has an admission, so overlap of its schedule cannot be 'queue'"),
    ]);
  });
});
