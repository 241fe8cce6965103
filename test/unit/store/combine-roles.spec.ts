import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { combineRoles } from '../../../lib/store/combine-roles.js';

abstract class Base {
  constructor(protected readonly name: string) {}
}

class Greets extends Base {
  get language() {
    return 'en';
  }

  greet() {
    return `Hello, ${this.name}`;
  }
}

class Leaves extends Base {
  leave() {
    return `Goodbye, ${this.name}`;
  }
}

it('makes a class with the methods and getters of all roles', () => {
  const person = new (combineRoles(Base, Greets, Leaves))('Ada');

  expect([person.language, person.greet(), person.leave()]).toEqual([
    'en',
    'Hello, Ada',
    'Goodbye, Ada',
  ]);
  expect(person).toBeInstanceOf(Base);
});

it('refuses roles with a member of the same name', () => {
  class Also extends Base {
    leave() {
      return 'Bye';
    }
  }

  expect(() => combineRoles(Base, Leaves, Also)).toThrow(
    'Also: another role has a member "leave" already. Rename it.',
  );
});

describe.each(['lib/store/postgres/roles', 'lib/testing/memory-store/roles'])('%s', (folder) => {
  const files = readdirSync(folder).filter((file) => !file.includes('-role.'));

  it.each(files)('%s has no field but what all roles share', async (file) => {
    const url = pathToFileURL(path.resolve(folder, file)).href;
    const classes: Record<string, new (shared: object) => object> = await import(url);
    const fields = Object.values(classes).map((Role) => Object.keys(new Role({})));

    expect(fields).toEqual([[expect.stringMatching(/^(db|tables)$/)]]);
  });
});
