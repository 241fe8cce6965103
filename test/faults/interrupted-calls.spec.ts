import { beforeAll, expect, it } from '@jest/globals';
import { type AdminDatabase, createAdminDatabase } from '../integration/admin/admin-database.js';
import {
  everyInterruption,
  interruptCreateTenant,
  interruptRemoveTenant,
} from '../integration/admin/interrupted-calls.js';

/** Calls of CloacinaAdmin that end at every point there is. `npm test` has a few of them. */

let database: AdminDatabase;
beforeAll(async () => {
  database = await createAdminDatabase();
});

it.each(['before', 'after'] as const)(
  'createTenant() that is killed %s any statement is completed by the next call',
  async (when) => {
    const { texts, complete } = await interruptCreateTenant(database, everyInterruption(when));
    const indexOf = (part: string): number => texts.findIndex((text) => text.includes(part));
    const order = ['CREATE ROLE', 'CREATE SCHEMA', 'cloacina_task_execution', 'LOGIN PASSWORD'];
    const places = order.map(indexOf);
    expect(places[0]).toBeGreaterThan(0);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    // Only when the very last commit is done, and nobody heard of it, the tenant is complete.
    expect(complete).toBe(when === 'after' ? 1 : 0);
  },
  300_000,
);

it.each(['before', 'after'] as const)(
  'removeTenant() that is killed %s any statement is completed by the next call',
  async (when) => {
    const texts = await interruptRemoveTenant(database, everyInterruption(when));
    const drop = texts.findIndex((text) => text.startsWith('DROP SCHEMA'));
    expect(drop).toBeGreaterThan(0);
    expect(texts.findIndex((text) => text.startsWith('DROP ROLE'))).toBeGreaterThan(drop);
  },
  300_000,
);
