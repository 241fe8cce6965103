import { beforeAll, expect, it } from '@jest/globals';
import { type AdminDatabase, createAdminDatabase } from './admin-database.js';
import {
  interruptCreateTenant,
  interruptedAt,
  interruptRemoveTenant,
} from './interrupted-calls.js';

/** Points of each kind. `test/faults/interrupted-calls.spec.ts` has them all. */

let database: AdminDatabase;
beforeAll(async () => {
  database = await createAdminDatabase();
});

it('createTenant() that is killed is completed by the next call', async () => {
  const points = [
    interruptedAt('before', 'CREATE ROLE'),
    interruptedAt('after', 'CREATE ROLE'),
    interruptedAt('after', 'CREATE SCHEMA'),
    interruptedAt('after', 'cloacina_task_execution'),
    interruptedAt('before', 'LOGIN PASSWORD'),
    interruptedAt('after', 'LOGIN PASSWORD'),
  ];
  const { texts } = await interruptCreateTenant(database, points);
  expect(texts).toHaveLength(points.length);
});

it('removeTenant() that is killed is completed by the next call', async () => {
  const points = [
    interruptedAt('before', 'DROP SCHEMA'),
    interruptedAt('after', 'DROP SCHEMA'),
    interruptedAt('after', 'DROP ROLE'),
  ];
  expect(await interruptRemoveTenant(database, points)).toHaveLength(points.length);
});
