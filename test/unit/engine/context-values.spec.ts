import { beforeEach, describe, expect, it } from '@jest/globals';
import { ContextValues } from '../../../lib/engine/execution/context-values.js';
import { EngineScene } from './engine-scene.js';

let warned: string[];
let run: { hasReturned: boolean; warnWriteIgnored: (key: string) => void };
let values: ContextValues;
beforeEach(async () => {
  warned = [];
  run = { hasReturned: false, warnWriteIgnored: (key) => void warned.push(key) };
  const scene = new EngineScene();
  const [claim] = await scene.running({ input: '{"list":[1],"none":null}' });
  values = new ContextValues(claim!, claim!.cache.inputOf(0).view, run);
});

describe('ContextValues', () => {
  it('returns a copy with each call, so that a change of it is not stored', () => {
    (values.get('list') as number[]).push(2);
    expect(values.get('list')).toEqual([1]);
    expect([...values.finish(undefined)]).toEqual([]);
  });

  it('reads what the run has written over its input', () => {
    values.set('list', [3]);
    values.set('new', { at: new Date(0) });
    values.delete('none');
    expect(values.get('list')).toEqual([3]);
    expect(values.data).toEqual({ list: [3], new: { at: '1970-01-01T00:00:00.000Z' } });
    expect([values.has('new'), values.has('none')]).toEqual([true, false]);
  });

  it('deletes a key that is set to undefined', () => {
    values.set('list', undefined);
    expect(values.finish(undefined)).toEqual(new Map([['list', undefined]]));
  });

  it('has a frozen whole that follows later writes', () => {
    const before = values.data;
    expect(Object.isFrozen(before)).toBe(true);
    values.set('more', 1);
    expect(before).not.toHaveProperty('more');
    expect(values.data).toMatchObject({ list: [1], more: 1 });
  });

  it('requires keys with a value', () => {
    expect(values.require('list')).toEqual([1]);
    for (const key of ['none', 'unknown']) {
      expect(() => values.require(key)).toThrow(`"${key}" is required by task "a" and is missing`);
    }
  });

  it('says where a value is that JSON can not carry', () => {
    const cause = { code: 'INVALID_CONTEXT' };
    expect(() => values.set('deep', { list: [1n] })).toThrow(expect.objectContaining(cause));
    expect(() => values.set('deep', { list: [1n] })).toThrow(/deep\.list\[0\]/);
    expect(() => values.finish([1])).toThrow(/task "a" returned/);
  });

  it('adds the returned keys to the writes', () => {
    values.set('x', 1);
    expect(values.finish({ y: 2, x: 3 })).toEqual(
      new Map([
        ['x', '3'],
        ['y', '2'],
      ]),
    );
  });

  it('warns of writes after the handler has returned', () => {
    run.hasReturned = true;
    values.set('late', 1);
    values.delete('later');
    expect(warned).toEqual(['late', 'later']);
  });
});
