import { expect, it, jest } from '@jest/globals';
import { gate } from '../../support/gate.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { NOTHING_WRONG, scheduled, wrongFirings } from '../recovery/scheduling.js';

const ROUNDS = sized(420, 12);
/** Schedules of a round. */
const SCHEDULES = 24;
const HOUR = 3_600_000;

it(`A schedule that fires while it is changed fires before the change or not at all: ${ROUNDS * SCHEDULES} times`, async () => {
  const schema = freshSchema();
  const [first, second] = await Promise.all([
    openTenant([scheduled], { schema }),
    openTenant([scheduled], { schema }),
  ]);
  const { schedules } = first.runner;
  /** The last whole hour: it is due when a round begins. */
  const due = new Date(Math.floor(Date.now() / HOUR) * HOUR);
  const later = new Date(due.getTime() + 100 * HOUR);
  const changes = [
    (name: string) => schedules.delete(name),
    (name: string) => schedules.pause(name),
    (name: string) => schedules.update(name, { at: later }),
    (name: string) => schedules.create(name, scheduled, { at: later }),
  ];
  let halfChanged = gate();
  let waits = false;
  const fire = second.engine.store.schedules.fire.bind(second.engine.store.schedules);
  jest.spyOn(second.engine.store.schedules, 'fire').mockImplementation(async (fires) => {
    if (waits) await halfChanged.passed;
    return fire(fires);
  });
  const seen = { changed: 0, fired: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const names = Array.from({ length: SCHEDULES }, (_, no) => `s${round}.${no}`);
    for (const name of names)
      await schedules.create(name, scheduled, { every: HOUR, startAt: later });
    await first.query(
      `UPDATE cloacina_schedule SET spec = $2, next_for = $3, next_at = now() WHERE name = ANY ($1)`,
      [names, JSON.stringify({ every: HOUR, startAt: new Date(due.getTime() - HOUR) }), due],
    );
    let changed = 0;
    const change = async (name: string, no: number): Promise<void> => {
      await changes[no % changes.length]!(name);
      if (++changed === SCHEDULES / 2) halfChanged.open();
    };
    // In each second round, the firings that are read before the changes are sent in the middle of them.
    halfChanged = gate();
    waits = round % 2 === 1;
    await Promise.all([
      waits ? undefined : first.engine.schedules.fireDue(),
      second.engine.schedules.fireDue(),
      ...names.map(change),
    ]);
    await first.engine.schedules.fireDue();
    for (const [no, name] of names.entries()) {
      const kind = no % changes.length;
      const known = await schedules.get(name);
      // A firing that came later would have put its own columns into the row.
      if (kind === 0) expect(known).toBeNull();
      else if (kind === 1) expect(known).toMatchObject({ state: 'paused' });
      else expect(known).toMatchObject({ state: 'active', nextAt: later });
    }
    const [row] = await first.query<{ n: number }>(
      `SELECT count(*)::integer AS n FROM cloacina_workflow_execution WHERE schedule = ANY ($1)`,
      [names],
    );
    seen.fired += row!.n;
    seen.changed += names.length - row!.n;
  }
  // Both orders have occurred, or the test has shown nothing.
  expect(seen.fired).toBeGreaterThan(0);
  expect(seen.changed).toBeGreaterThan(0);
  const orphans = await first.query(
    `SELECT FROM cloacina_schedule_firing f
     WHERE NOT EXISTS (SELECT FROM cloacina_schedule c WHERE c.name = f.schedule)`,
  );
  expect(orphans).toEqual([]);
  const { twice } = (await wrongFirings(first)) as typeof NOTHING_WRONG;
  expect(twice).toEqual([]);
}, 600_000);
