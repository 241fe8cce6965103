import { describe, expect, it } from '@jest/globals';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import type { JsonObject } from '../../../lib/discovery/context-types.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';
import {
  declareSchedules,
  Schedule,
  schedulesOf,
  type ScheduleOptions,
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

  it('takes one name twice if lists keep its tenants apart', () => {
    const twice = (a: ScheduleOptions['tenants'], b: ScheduleOptions['tenants']) =>
      declareSchedules('Totals', 'totals', [
        { cron: '0 2 * * *', tenants: a },
        { cron: '0 4 * * *', tenants: b },
      ] as ScheduleOptions[]);
    const { schedules, problems } = twice(['acme', 'globex'], ['late']);
    expect(problems).toEqual([]);
    const of = (tenant: string) =>
      schedules.filter(({ isFor }) => isFor(tenant)).map(({ spec }) => spec.cron);
    expect(['acme', 'late', 'other'].map(of)).toEqual([['0 2 * * *'], ['0 4 * * *'], []]);
    const refused = 'Totals has two schedules of the name "totals": give each a name, or lists';
    const others: ScheduleOptions['tenants'][] = [
      ['late', 'acme'],
      undefined,
      (tenant) => tenant === 'late',
    ];
    for (const other of others) {
      expect(twice(['acme', 'globex'], other).problems).toEqual([expect.stringContaining(refused)]);
    }
  });

  it.each<[unknown, string]>([
    ['acme', 'must be a function or a list of names'],
    [['acme', ''], 'must be an array of names of tenants, but [1] is'],
    [[7], 'must be an array of names of tenants, but [0] is 7'],
  ])('names what is wrong with the tenants %p', (tenants, problem) => {
    const { problems } = declareSchedules('Totals', 'totals', [
      { every: '1h', tenants: tenants as string[] },
    ]);
    expect(problems).toEqual([
      expect.stringContaining(`Totals, schedule "totals": tenants ${problem}`),
    ]);
  });

  it('ends the boot if it is not valid, with the name of its workflow', () => {
    const schedule = [{ cron: '0 25 * * *' }, { name: 'often', every: '15m', input: [1] as never }];
    const definition = defineWorkflow('totals', { schedule })
      .task('sum', () => undefined)
      .build();
    if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
    expect(describeDefinition({ definition, module: 'Totals' })).toMatchObject({
      problems: [
        expect.stringMatching(/Workflow "totals", schedule "totals": cron is not a valid/),
        expect.stringMatching(/Workflow "totals", schedule "often": input must be an object/),
      ],
    });
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
