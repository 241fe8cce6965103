import { describe, expect, it } from '@jest/globals';
import { validate, version } from 'uuid';
import { newExecutionId } from '../../../lib/runner/execution-id.js';
import { systemClock } from '../../../lib/runtime/clock.js';

describe('newExecutionId', () => {
  const ids = Array.from({ length: 10_000 }, () => newExecutionId(systemClock));

  it('makes UUIDs of version 7', () => {
    expect(ids.filter((id) => !validate(id) || version(id) !== 7)).toEqual([]);
  });

  it('makes each of them once, in ascending order', () => {
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
  });

  it('shares no random part between ids', () => {
    expect(new Set(ids.map((id) => id.slice(-12))).size).toBe(ids.length);
  });
});
