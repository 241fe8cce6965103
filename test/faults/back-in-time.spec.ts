import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { FaultyServer, type WayBack } from './server/faulty-server.js';
import { Journey, LEASE_MS, PLANS, POINTS } from './workload/journey.js';
import { seedOfRun } from './workload/random.js';
import { BOUND_MS, report } from './workload/scene.js';

/** `FAULTS=short`: each point with one way back only. */
const SHORT = process.env['FAULTS'] === 'short';
const seed = seedOfRun();
let server: FaultyServer;
beforeAll(async () => {
  server = await FaultyServer.start();
}, 60_000);
afterAll(async () => {
  report('injected', Object.fromEntries(server.injected));
  await server.close();
});

const WAYS: readonly WayBack[] = ['same timeline', 'new timeline'];
const JOURNEYS = Object.keys(POINTS).flatMap((name, no) =>
  (SHORT ? WAYS.slice(no % 2, (no % 2) + 1) : WAYS).map((way) => [name, way] as const),
);

test.each(JOURNEYS)(
  'An execution comes to its end when the server goes back to %s (%s)',
  async (name, way) => {
    const point = POINTS[name];
    const journey = new Journey(server, {
      seed,
      plans: PLANS,
      leaseDurationMs: point?.leaseMs ?? LEASE_MS,
    });
    await journey.play(async () => {
      await journey.board(point?.slots ?? 10);
      await point?.travel(journey);
      await journey.goBack(way);
      await point?.after?.(journey);
      journey.openAll();
      // By itself first, then with new work beside it.
      await journey.settle(BOUND_MS);
      const living = journey.workers.filter(({ running }) => running);
      for (const child of living) {
        for (const { name: workflow } of PLANS) await journey.startOne(child, workflow);
      }
      await journey.settle(BOUND_MS);
      const runs = journey
        .entries()
        .filter(
          ({ what, task, executionId }) =>
            what === 'begun' && task === 'first' && executionId === journey.id,
        );
      if (point?.runsOfFirst !== undefined) expect(runs).toHaveLength(point.runsOfFirst);
      report(`${name} (${way})`, {
        executions: journey.accepted().size,
        forgotten: journey.forgotten.executions.size,
        ...(await journey.exits()),
      });
      // A lease that came back with the server, of a process that has gone since, runs out by itself.
      const violations = await journey.violations();
      expect(violations.filter((violation) => !/^\d leases left$/.test(violation))).toEqual([]);
      expect(journey.folder.refused()).toEqual([]);
    });
  },
  240_000,
);
