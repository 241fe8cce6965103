import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { queryIn } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

afterEach(() => {
  jest.restoreAllMocks();
});

const breaks: [string, string, string][] = [
  [
    'a table dropped',
    'ALTER TABLE cloacina_runner_lease RENAME TO elsewhere',
    'ALTER TABLE elsewhere RENAME TO cloacina_runner_lease',
  ],
  [
    'a column of a type that nothing fits',
    'ALTER TABLE cloacina_recovery_event RENAME COLUMN cause TO why',
    'ALTER TABLE cloacina_recovery_event RENAME COLUMN why TO cause',
  ],
];

describe("A tenant's recovery", () => {
  it.each(breaks)(
    'is its own: one with %s is reported once, and holds up none of the others',
    async (_, harm, heal) => {
      const [good, broken, other] = [freshSchema(), freshSchema(), freshSchema()];
      const workers = new Workers([good, broken, other], { leaseDurationMs: 3_000 });
      const errors = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
      const [survivor] = await workers.here();
      const victim = await workers.child();
      for (const schema of [good, broken, other]) await victim.start(waits(2, schema), schema);
      await workers.begun(6);
      await queryIn(broken, harm);
      const ofVictim = workers.entries('begun').filter(({ by }) => by === victim.name);
      const expected = ofVictim.filter(({ name }) => !name.startsWith(broken)).length;
      await victim.process.kill();
      await workers.begun(6 + expected);
      const told = (): string[] =>
        errors.mock.calls
          .map(([message]) => String(message))
          .filter((text) => text.includes('recovery failed'));
      await waitFor(() => told().length > 0);
      // Several passes and renewals more.
      for (let i = 0; i < 3; i++) await survivor!.recovery.run();
      await survivor!.host.recoverOnce();
      expect(told()).toHaveLength(1);
      expect(told()[0]).toContain(`Tenant "${broken}"`);
      // The leases of the others are renewed: for longer than one lasts, nobody takes what this process runs.
      const events = async (schema: string): Promise<number> =>
        (await queryIn(schema, 'SELECT FROM cloacina_recovery_event')).length;
      const taken = [await events(good), await events(other)];
      await waitFor(async () => {
        const [row] = await queryIn<{ renewed: boolean }>(
          good,
          `SELECT bool_and(expires_at > created_at + interval '6 s') AS renewed FROM cloacina_runner_lease`,
        );
        return row?.renewed;
      });
      expect([await events(good), await events(other)]).toEqual(taken);

      await queryIn(broken, heal);
      await workers.begun(6 + ofVictim.length, 20_000);
      workers.release();
    },
  );
});
