import type pg from 'pg';
import { messageWithoutSecrets } from '../errors/index.js';
import { classifyFailure } from '../store/postgres/classify-failure.js';
import { CheckSkipped, type DatabaseCheck, type Found, type TenantCheck } from './check.js';
import type { DoctorFinding, SkippedCheck } from './doctor-types.js';

export interface CheckOutcome {
  readonly findings: readonly DoctorFinding[];
  readonly skipped: readonly SkippedCheck[];
}

/**
 * What each check runs under. The settings are those of the transaction, not of the session: a session may be that of a
 * pooler, which gives it to others. Policies of a table raise an error, so that they don't run code of the table's owner.
 */
const BEGIN = `BEGIN READ ONLY; SET LOCAL search_path TO pg_catalog, pg_temp; SET LOCAL row_security TO off;
  SET LOCAL statement_timeout TO '30s'; SET LOCAL lock_timeout TO '2s'; SET LOCAL jit TO off`;

/** Runs work in a transaction that can't write. */
export async function readOnly<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query(BEGIN);
  try {
    return await work();
  } finally {
    // If the connection is lost, the work has failed with that already.
    await client.query('ROLLBACK').catch(() => undefined);
  }
}

/** Makes one check. A check that the server refuses is skipped, so that it doesn't hide what the others find. */
export async function makeCheck(
  check: DatabaseCheck | TenantCheck,
  client: pg.Client,
  schema: string | undefined,
  find: () => Promise<Found[]>,
): Promise<CheckOutcome> {
  const { id, title, severity } = check;
  const place = schema === undefined ? {} : { schema };
  const inTransaction = check.scope === 'tenant' || check.inTransaction !== false;
  try {
    const found = await (inTransaction ? readOnly(client, find) : find());
    return {
      findings: found.map((each) => ({
        check: id,
        severity: each.severity ?? severity,
        title,
        ...place,
        detail: each.detail,
        advice: check.advice(each, schema ?? ''),
        facts: each.facts,
      })),
      skipped: [],
    };
  } catch (error) {
    const { kind } = classifyFailure(error);
    if (!(error instanceof CheckSkipped) && (kind === 'connection' || kind === 'bug')) throw error;
    return {
      findings: [],
      skipped: [{ check: id, ...place, reason: messageWithoutSecrets(error) }],
    };
  }
}
