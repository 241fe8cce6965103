import { readRows } from '../../store/postgres/connections/own-types.js';
import { inWords, type DatabaseCheck } from '../check.js';

/** Skew that matters, in ms: times that a caller gives (`runAt`) are off by it. */
const MAX_SKEW_MS = 1_000;

/** A clock of this machine that differs from that of the database, beyond what the round trip may account for. */
export const clockSkew: DatabaseCheck = {
  scope: 'database',
  id: 'clock-skew',
  severity: 'warning',
  title: 'The clocks of this machine and of the database differ',
  find: async ({ client, now }) => {
    const before = now();
    const [row] = await readRows<{ at: number }>(
      client,
      'SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::double precision AS at',
    );
    const after = now();
    if (row === undefined) return [];
    // The server read its clock at some time between the two readings here.
    const skewMs = row.at > after ? row.at - after : row.at < before ? row.at - before : 0;
    if (Math.abs(skewMs) <= MAX_SKEW_MS) return [];
    return [
      {
        detail: `The clock of the database is ${inWords(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead of' : 'behind'} that of this machine.`,
        facts: { skewMs: Math.round(skewMs) },
      },
    ];
  },
  advice: () =>
    'Let both machines follow a time server (NTP). The library uses the clock of the database; only times that callers give, such as runAt, are those of their machines.',
};
