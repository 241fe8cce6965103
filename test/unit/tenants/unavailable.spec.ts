import { inspect, isDeepStrictEqual } from 'node:util';
import { MetadataScanner, Reflector } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { DataSource, EntityManager, Repository } from 'typeorm';
import { CloacinaRecovery } from '../../../lib/recovery/cloacina-recovery.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { CloacinaMigrator } from '../../../lib/tenants/migrations/cloacina-migrator.js';
import { failingProvider } from '../../../lib/tenants/hosting/failing-provider.js';
import { unavailableTenant } from '../../../lib/tenants/hosting/unavailable-tenant.js';

const tenant = unavailableTenant(() => new Error('is away'));
const CLASSES = [
  { part: tenant.runner, type: CloacinaRunner, method: 'start' },
  { part: tenant.migrator, type: CloacinaMigrator, method: 'ensure' },
  { part: tenant.recovery, type: CloacinaRecovery, method: 'run' },
  { part: tenant.dataSource, type: DataSource, method: 'query' },
  { part: tenant.manager, type: EntityManager, method: 'find' },
  { part: tenant.repository, type: Repository, method: 'save' },
];

/** Reads everything that the object and its prototypes have, and what they don't. */
function readAll(instance: object): unknown[] {
  const keys = new Set<string | symbol>(['then', 'toJSON', 'onModuleInit', 'whatever']);
  for (let at: object | null = instance; at !== null; at = Reflect.getPrototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) keys.add(key);
  }
  return [...keys].map((key): unknown => Reflect.get(instance, key));
}

describe.each(CLASSES)('A stand-in for $type.name', ({ part, type, method }) => {
  it('is an instance of the class whose methods throw when they are called', () => {
    expect(part).toBeInstanceOf(type);
    expect(part.constructor).toBe(
      type === Repository ? Reflect.getPrototypeOf(part)?.constructor : type,
    );
    const call: unknown = Reflect.get(part, method);
    expect(call).toBeInstanceOf(Function);
    expect(() => Reflect.apply(call as () => void, part, [])).toThrow('is away');
  });

  it('is idle to all that walks it', () => {
    const scanner = new MetadataScanner();
    const reflector = new Reflector();
    const methods = scanner.getAllMethodNames(Reflect.getPrototypeOf(part) ?? {});
    expect(methods).toContain(method);
    for (const name of methods) {
      expect(reflector.get('anything', Reflect.get(part, name) as () => void)).toBeUndefined();
    }
    expect(() => readAll(part)).not.toThrow();
    expect(() => inspect(part, { depth: null, showHidden: true, getters: true })).not.toThrow();
    expect(JSON.stringify(part)).toBe('{}');
    expect(structuredClone(part)).toEqual({});
    expect(isDeepStrictEqual(part, Object.create(Reflect.getPrototypeOf(part)))).toBe(true);
    expect(Object.keys(part)).toEqual([]);
    expect(Object.prototype.toString.call(part)).toBe('[object Object]');
  });

  it('can be awaited, spied on and given fields', async () => {
    const stand = Object.create(part) as object;
    expect(await Promise.resolve(stand)).toBe(stand);
    expect(Object.assign(stand, { traced: true })).toHaveProperty('traced', true);
    expect(Reflect.set(stand, method, () => 'mocked')).toBe(true);
  });
});

describe('A stand-in', () => {
  it('never runs accessors, nor methods that inspection and conversion call', () => {
    class Odd {
      static reads = 0;
      get value(): number {
        Odd.reads++;
        throw new Error('no state');
      }
      set value(_value: number) {
        Odd.reads++;
      }
      [inspect.custom](): string {
        throw new Error('no state');
      }
      [Symbol.toPrimitive](): string {
        throw new Error('no state');
      }
    }
    const stand = failingProvider(Odd, () => new Error('is away'));
    expect(() => readAll(stand)).not.toThrow();
    expect(inspect(stand)).toMatch(/^Odd/);
    // oxlint-disable-next-line typescript/no-base-to-string -- that it has none of its own is what is tested
    expect(String(stand)).toBe('[object Object]');
    expect(Odd.reads).toBe(0);
  });

  it('has the methods of the parents too, each by its name', () => {
    abstract class Base {
      below(): string {
        return 'base';
      }
    }
    class Derived extends Base {
      above(): string {
        return 'derived';
      }
    }
    const stand = failingProvider(Derived, () => new Error('is away')) as Derived;
    expect(() => stand.below()).toThrow('is away');
    expect(() => stand.above()).toThrow('is away');
    expect(Reflect.get(stand.above, 'name')).toBe('above');
  });
});
