import { describe, expect, it } from '@jest/globals';
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
});
