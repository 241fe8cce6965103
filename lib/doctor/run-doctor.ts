import pg from 'pg';
import {
  CloacinaError,
  DatabaseUnavailableError,
  InvalidArgumentError,
  didYouMean,
} from '../errors/index.js';
import {
  connectionConfig,
  databasePlace,
} from '../store/postgres/connections/connection-config.js';
import { asConnectionError } from '../store/postgres/connections/connection-obstacle.js';
import { OWN_TYPES, readRows } from '../store/postgres/connections/own-types.js';
import { isAway } from '../store/postgres/classify-failure.js';
import { adminSource } from '../tenants/admin/admin-source.js';
import type { Examination } from './check.js';
import { DATABASE_CHECKS, TENANT_CHECKS } from './checks/index.js';
import type { DoctorFinding, DoctorOptions, DoctorReport, SkippedCheck } from './doctor-types.js';
import { examineTenant } from './examine-tenant.js';
import { ExpectedShapes } from './expected-shape.js';
import { findSchemas, type FoundSchema } from './find-schemas.js';
import { makeCheck, readOnly } from './make-check.js';

/** The ids of all checks of {@link runDoctor}. */
export const DOCTOR_CHECKS: readonly string[] = [...DATABASE_CHECKS, ...TENANT_CHECKS].map(
  ({ id }) => id,
);

/**
 * Examines a database and the tenants in it for faults, and says for each what to do. It only reads, takes one connection, and
 * works beside running processes. It knows nothing of their options. To compare the tables with what the migrations make,
 * it runs the migrations in a transaction that it rolls back.
 *
 * @throws DatabaseConnectionError, DatabaseUnavailableError if the database can't be reached
 * @throws InvalidArgumentError for an unknown check or role, and for a schema without the library's tables
 * @example
 * ```ts
 * const { findings } = await runDoctor({ databaseUrl: process.env['DATABASE_URL'] });
 * for (const { title, detail, advice } of findings) console.warn(`${title}: ${detail} ${advice}`);
 * ```
 */
export async function runDoctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  const began = performance.now();
  const chosen = chosenChecks(options);
  const source = adminSource(options, process.env, 'runDoctor()');
  const place = databasePlace(source);
  const config = connectionConfig(source);
  const client = new pg.Client({
    ...config,
    types: OWN_TYPES,
    application_name: 'cloacina-doctor',
    connectionTimeoutMillis: 10_000,
  });
  // A lost connection also rejects the running statement, which reports the error.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await examine(client, config, options, chosen, place);
  } catch (error) {
    if (error instanceof CloacinaError) throw error;
    const refused = asConnectionError(error, place);
    if (refused !== undefined) throw refused;
    if (!isAway(error)) throw error;
    const waitedMs = Math.round(performance.now() - began);
    throw new DatabaseUnavailableError({ waitedMs, place, isOneAttempt: true }, { cause: error });
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function examine(
  client: pg.Client,
  config: pg.ClientConfig,
  options: DoctorOptions,
  chosen: ReadonlySet<string>,
  place: { readonly host: string; readonly port: number; readonly database: string },
): Promise<DoctorReport> {
  const { login, version, at, schemas } = await readOnly(client, async () => ({
    ...(await describeServer(client, options.role)),
    schemas: chooseSchemas(await findSchemas(client), options.schemas),
  }));
  const examination: Examination = {
    client,
    config,
    role: options.role ?? login,
    now: () => Date.now(),
  };
  const findings: DoctorFinding[] = [];
  const skipped: SkippedCheck[] = [];
  const total = schemas.length + 1;
  for (const check of DATABASE_CHECKS.filter(({ id }) => chosen.has(id))) {
    const outcome = await makeCheck(check, client, undefined, () => check.find(examination));
    findings.push(...outcome.findings);
    skipped.push(...outcome.skipped);
  }
  options.onProgress?.(1, total);
  const shapes = new ExpectedShapes(config);
  const checks = TENANT_CHECKS.filter(({ id }) => chosen.has(id));
  for (const [i, found] of schemas.entries()) {
    const outcome = await examineTenant(examination, found, checks, shapes);
    findings.push(...outcome.findings);
    skipped.push(...outcome.skipped);
    options.onProgress?.(i + 2, total);
  }
  const errors = findings.filter(({ severity }) => severity === 'error');
  const warnings = findings.filter(({ severity }) => severity === 'warning');
  return {
    database: { ...place, login, version },
    at: new Date(at),
    schemas: schemas.map(({ schema }) => schema),
    findings: [...errors, ...warnings],
    skipped,
  };
}

async function describeServer(
  client: pg.Client,
  role: string | undefined,
): Promise<{ readonly login: string; readonly version: string; readonly at: number }> {
  const [facts] = await readRows<{ login: string; version: string; at: number; role: boolean }>(
    client,
    `SELECT current_user::text AS login, current_setting('server_version') AS version,
            (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::double precision AS at,
            $1::text IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = $1) AS role`,
    [role ?? null],
  );
  if (facts === undefined) throw new Error('The server returned no row.');
  if (!facts.role)
    throw new InvalidArgumentError(
      'role',
      `must be a role of the server, not ${JSON.stringify(role)}`,
    );
  return facts;
}

function chooseSchemas(
  found: readonly FoundSchema[],
  wanted: readonly string[] | undefined,
): readonly FoundSchema[] {
  if (wanted === undefined) return found;
  return [...new Set(wanted)].map((schema) => {
    const one = found.find((each) => each.schema === schema);
    if (one !== undefined) return one;
    const names = found.map((each) => each.schema);
    throw new InvalidArgumentError(
      'schemas',
      `must name schemas that contain the library's tables; ${JSON.stringify(schema)} does not.${didYouMean(schema, names)}`,
    );
  });
}

/** @throws InvalidArgumentError for an unknown check */
export function chosenChecks({
  checks,
  ignore = [],
}: Pick<DoctorOptions, 'checks' | 'ignore'>): ReadonlySet<string> {
  for (const [option, ids] of Object.entries({ checks: checks ?? [], ignore })) {
    const unknown = ids.find((id) => !DOCTOR_CHECKS.includes(id));
    if (unknown !== undefined)
      throw new InvalidArgumentError(
        option,
        `must be ids of checks, not ${JSON.stringify(unknown)}.${didYouMean(unknown, DOCTOR_CHECKS)} The checks are ${DOCTOR_CHECKS.join(', ')}`,
      );
  }
  return new Set((checks ?? DOCTOR_CHECKS).filter((id) => !ignore.includes(id)));
}
