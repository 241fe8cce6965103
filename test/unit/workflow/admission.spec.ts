import { describe, expect, it } from '@jest/globals';
import { findAdmissionKey, splitAdmissionKey } from '../../../lib/workflow/admission.js';
import { compileWorkflow } from '../../../lib/workflow/compile.js';
import { restoreWorkflow, storeWorkflow } from '../../../lib/workflow/stored-definition.js';
import { compiled } from './some-workflows.js';

const compile = (admission: unknown) =>
  compileWorkflow({ name: 'sync', tasks: [{ name: 'a' }], admission: admission as never });

describe('an admission', () => {
  it.each([
    ['is 7; it must be an object', 7],
    ["has neither 'concurrency' nor 'rate'", { key: 'a' }],
    ['has the concurrency 0; it must be a whole number from 1 to 1000', { concurrency: 0 }],
    ['has the concurrency 1001', { concurrency: 1_001 }],
    ["has the whenFull 'drop'; it must be 'queue', 'skip'", { concurrency: 1, whenFull: 'drop' }],
    ["has the key 'a..b'; it must be a path in the input", { concurrency: 1, key: 'a..b' }],
    ["has the unknown member 'keys'", { concurrency: 1, keys: 'a' }],
    ["has a rate without 'per'", { rate: { limit: 1 } }],
  ])('that %s is refused', (problem, admission) => {
    const result = compile(admission);
    const problems = result.ok ? [] : result.problems;
    expect(problems.join(' ').replaceAll('"', "'")).toContain(`has an admission that ${problem}`);
  });

  it('is hashed, stored and restored with its defaults', () => {
    const rate = { limit: 90, per: '1s' } as const;
    const workflow = compiled({
      name: 'sync',
      tasks: [{ name: 'a' }],
      admission: { key: 'customer.id', rate },
    });
    expect(workflow.admission).toEqual({
      key: 'customer.id',
      concurrency: 1_000,
      rate: { limit: 90, perMs: 1_000, burst: 9 },
      whenFull: 'queue',
    });
    const stored = storeWorkflow(workflow);
    expect(stored.format).toBe(2);
    expect(restoreWorkflow(structuredClone(stored)).admission).toEqual(workflow.admission);
    const other = compiled({ name: 'sync', tasks: [{ name: 'a' }], admission: { concurrency: 1 } });
    expect(other.hash).not.toBe(workflow.hash);
  });

  it('leaves the hash of a workflow without one as it was', () => {
    expect(storeWorkflow(compiled({ name: 'sync', tasks: [{ name: 'a' }] })).format).toBe(1);
  });
});

describe('the key of an admission', () => {
  const at = (key: string | undefined, input: unknown) =>
    findAdmissionKey('sync', key === undefined ? {} : { key }, input);

  it('is found by its path', () => {
    const found = at('customer.id', { customer: { id: 17 } });
    expect(found.ok && splitAdmissionKey(found.limitKey)).toEqual({ workflow: 'sync', key: '17' });
    const shared = at(undefined, {});
    expect(shared.ok && splitAdmissionKey(shared.limitKey)).toEqual({ workflow: 'sync', key: '' });
  });

  it.each([
    ['is missing', {}],
    ['is an object', { k: {} }],
    ['has 401 characters; at most 400 are allowed', { k: 'x'.repeat(401) }],
  ])('%s', (problem, input) => {
    expect(at('k', input)).toEqual({ ok: false, problem });
  });
});
