import type { Command } from 'commander';
import type { CloacinaMigrator } from '../../index.js';
import type { CommandContext } from '../command-context.js';
import { ExitCode, UsageError } from '../exit-code.js';
import { errorDocument, type ErrorDocument } from '../failure.js';
import { loadLibrary } from '../library.js';
import { progressBar } from '../output/progress.js';
import { table } from '../output/table.js';
import { counted } from '../output/text.js';
import type { RunCommand } from '../run-command.js';
import type { AwayServer } from '../reachable.js';
import { livesThere, placed, type PlacedTarget, type Target } from '../target.js';

interface MigrateOptions {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly status?: boolean;
}

/** What was done with one schema, or what would be. */
interface MigratedTenant extends Target {
  readonly server?: string;
  readonly applied?: readonly string[];
  readonly pending?: readonly string[];
  readonly error?: ErrorDocument;
  /** Why the schema is left to others. */
  readonly skipped?: string;
}

/** What to migrate, and the servers with more of it that could not be reached. */
interface Targets {
  readonly targets: readonly PlacedTarget[];
  readonly away: readonly AwayServer[];
}

const LACKS_NAME = 'Name a tenant with --tenant or --schema, or give --all.';
/** Schemas at once: the connections of the pool. */
const AT_ONCE = 4;

export function addMigrate(program: Command, run: RunCommand): void {
  program
    .command('migrate')
    .description(
      "Apply the library's pending migrations. Those of the application run at its boot, or by CloacinaTenants.migrateAll().",
    )
    .option('--all', 'all tenants of the database')
    .option('--dry-run', 'print what is pending, and apply nothing')
    .option('--status', 'print what is applied and pending; exit code 1 if something is pending')
    .action(run(migrate));
}

async function migrate(context: CommandContext, options: MigrateOptions): Promise<ExitCode> {
  const { targets, away } = await targetsOf(context, options);
  const { withMigrators } = await loadLibrary();
  const reads = options.dryRun === true || options.status === true;
  const bar = await progressBar(context, reads ? 'Reading' : 'Migrating', targets.length);
  const tenants: MigratedTenant[] = [];
  let done = 0;
  const urls = [...new Set(targets.map(({ databaseUrl }) => databaseUrl))];
  await Promise.all(
    urls.map((databaseUrl) => {
      const places = targets.flatMap((target, i) =>
        target.databaseUrl === databaseUrl ? [i] : [],
      );
      const schemas = places.map((i) => targets[i]?.schema ?? '');
      return withMigrators({ databaseUrl }, schemas, async (migrators) => {
        const queue = migrators.entries();
        const worker = async (): Promise<void> => {
          for (const [n, migrator] of queue) {
            const place = places[n] ?? 0;
            const target = targets[place];
            if (target === undefined) continue;
            tenants[place] = { ...named(target), ...(await outcomeOf(migrator, options)) };
            bar.update(++done, targets.length);
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, worker));
      }).catch((error: unknown) => {
        // A server that is lost hides nothing of what was done on the others.
        if (urls.length === 1) throw error;
        for (const place of places) {
          const target = targets[place];
          if (target !== undefined)
            tenants[place] ??= { ...named(target), error: errorDocument(error) };
        }
      });
    }),
  ).finally(() => bar.stop());
  const isWrong = tenants.some(
    ({ error, pending = [] }) =>
      error !== undefined || (options.status === true && pending.length > 0),
  );
  return context.answer(
    { tenants, ...(away.length === 0 ? {} : { away }) },
    () => print(context, tenants, options),
    exitCodeOf(isWrong, away),
  );
}

function exitCodeOf(isWrong: boolean, away: readonly AwayServer[]): ExitCode {
  if (isWrong) return ExitCode.failed;
  return away.length === 0 ? ExitCode.ok : ExitCode.incomplete;
}

/** A tenant for the output, without the URL, which may contain a password. */
function named({ databaseUrl: _url, ...target }: PlacedTarget): MigratedTenant {
  return target;
}

/** The schema of --schema need not exist: it is created. */
async function targetsOf(
  context: CommandContext,
  { all, dryRun, status }: MigrateOptions,
): Promise<Targets> {
  const { tenant, schema } = context.options;
  if (dryRun === true && status === true)
    throw new UsageError('Give --dry-run or --status, not both.');
  if (all !== true) {
    if (schema === undefined || tenant !== undefined)
      return { targets: [await context.target(LACKS_NAME)], away: [] };
    const place = await context.placeFor(schema);
    return { targets: [{ tenant: schema, schema, ...place }], away: [] };
  }
  if (tenant !== undefined || schema !== undefined)
    throw new UsageError('Give --all, or name a tenant with --tenant or --schema.');
  const { tenants, away } = await context.reachableTenants();
  return {
    targets: tenants.filter(livesThere).map((each) => placed(each, context.databases)),
    away,
  };
}

async function outcomeOf(
  migrator: CloacinaMigrator,
  { dryRun, status }: MigrateOptions,
): Promise<Partial<MigratedTenant>> {
  try {
    if (status === true) return await migrator.status();
    if (dryRun === true) return { pending: await migrator.pending() };
    return { applied: await migrator.run() };
  } catch (error) {
    const document = errorDocument(error);
    // The schema of a tenant with a login of its own, which migrates it.
    return document.code === 'NOT_ALLOWED' ? { skipped: document.message } : { error: document };
  }
}

function print(
  context: CommandContext,
  tenants: readonly MigratedTenant[],
  { dryRun, status }: MigrateOptions,
): string {
  const rows = tenants.map((each) => [each.tenant, each.schema, describe(each, status === true)]);
  const failed = tenants.filter(({ error }) => error !== undefined).length;
  const left = tenants.filter(({ skipped }) => skipped !== undefined).length;
  const verb = dryRun === true || status === true ? 'examined' : 'migrated';
  const sum =
    `${counted(tenants.length - failed - left, 'tenant')} ${verb}` +
    `${left > 0 ? `, ${left} left out` : ''}${failed > 0 ? `, ${failed} failed` : ''}.`;
  return `${table(context, ['tenant', 'schema', 'migrations'], rows)}\n\n${sum}`;
}

function describe({ applied, pending, error, skipped }: MigratedTenant, status: boolean): string {
  if (error !== undefined) return `failed: ${error.message}`;
  if (skipped !== undefined) return `left out: ${skipped}`;
  if (status) return `${applied?.length ?? 0} applied, ${pending?.length ?? 0} pending`;
  if (pending !== undefined)
    return pending.length === 0 ? 'up to date' : `would apply ${pending.join(', ')}`;
  return (applied ?? []).length === 0 ? 'up to date' : `applied ${(applied ?? []).join(', ')}`;
}
