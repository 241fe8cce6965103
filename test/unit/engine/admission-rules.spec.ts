import { describe, expect, it } from '@jest/globals';
import { AdmissionRules } from '../../../lib/engine/admission/admission-rules.js';
import {
  makeRunnable,
  type RunnableDefinition,
} from '../../../lib/engine/definitions/runnable-definition.js';
import {
  admissionLimitName,
  limitKeyOf,
  NO_ADMISSION,
  scheduleTurnKey,
  TURN_NUMBERS,
} from '../../../lib/workflow/index.js';
import type { Admission } from '../../../lib/workflow/admission.js';
import { compiled } from '../workflow/some-workflows.js';

function definition(admission?: Admission): RunnableDefinition {
  const source = { name: 'w', tasks: [{ name: 'a' }] };
  return makeRunnable(
    compiled(admission === undefined ? source : { ...source, admission }),
    undefined,
  );
}

interface Known {
  /** Of the running code. */
  readonly current?: RunnableDefinition;
  /** The newest stored one. */
  readonly stored?: RunnableDefinition;
}

function rulesOf({ current, stored }: Known): AdmissionRules {
  return new AdmissionRules({
    currentOf: () => current,
    toStart: async () => {
      if (stored === undefined) throw new Error('It can not be read.');
      return stored;
    },
  });
}

const key = limitKeyOf(admissionLimitName('w'), 'ada');

describe('AdmissionRules', () => {
  it('takes the rule of the running code, whatever is stored', async () => {
    const current = definition({ concurrency: 2, rate: { limit: 5, per: '1s' } });
    const stored = definition({ concurrency: 9, whenFull: 'skip' });
    const rules = rulesOf({ current, stored });
    expect(rules.isServed(key)).toBe(true);
    expect(await rules.ruleOf(key)).toMatchObject({
      numbers: { concurrency: 2, rate: { limit: 5 } },
      supersedes: 'none',
    });
  });

  it('takes the newest stored rule without the code', async () => {
    const rules = rulesOf({ stored: definition({ concurrency: 3 }) });
    expect(rules.isServed(key)).toBe(false);
    expect(await rules.ruleOf(key)).toEqual({ numbers: { concurrency: 3 }, supersedes: 'none' });
  });

  it('leaves a key to others whose definition it can not read', async () => {
    expect(await rulesOf({}).ruleOf(key)).toBeUndefined();
  });

  it('admits the waiting executions of a workflow whose admission was removed', async () => {
    const { concurrency } = NO_ADMISSION;
    const rule = await rulesOf({ current: definition() }).ruleOf(key);
    expect(rule).toEqual({ numbers: { concurrency }, supersedes: 'none' });
  });

  it.each([
    ['queue', 'none'],
    ['skip', 'none'],
    ['replaceQueued', 'waiting'],
    ['cancelPrevious', 'all'],
  ] as const)('with %s, a new execution supersedes %s', async (whenFull, supersedes) => {
    const current = definition({ concurrency: 1, whenFull });
    expect(await rulesOf({ current }).ruleOf(key)).toMatchObject({ supersedes });
  });

  it('gives the executions of a schedule one turn, without the code', async () => {
    const turn = scheduleTurnKey('nightly', 'cancelPrevious');
    const rules = rulesOf({});
    expect(rules.isServed(turn)).toBe(true);
    expect(await rules.ruleOf(turn)).toEqual({ numbers: TURN_NUMBERS, supersedes: 'all' });
  });
});
