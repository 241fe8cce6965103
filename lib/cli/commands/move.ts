import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import type { MoveProgress, MoveReport, MoveTenantOptions } from '../../index.js';
import type { CommandContext } from '../command-context.js';
import { CommandFailure, ExitCode, UsageError } from '../exit-code.js';
import { confirmed } from '../output/confirm.js';
import { phaseProgress } from '../output/progress.js';
import { counted } from '../output/text.js';
import type { RunCommand } from '../run-command.js';

interface MoveCommandOptions {
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly finish?: boolean;
  readonly drain?: string;
  readonly migrations?: string;
}

/** Adds `tenants move`. */
export function addMove(tenants: Command, run: RunCommand): void {
  tenants
    .command('move')
    .description(
      'Move a tenant to another server of CLOACINA_SERVERS. It stands still for a short time at the end; processes follow by themselves.',
    )
    .argument('<tenant>', 'the name of the tenant, or its schema')
    .option('--to <server>', 'the server to move to')
    .option('--dry-run', 'look for what prevents the move, and move nothing')
    .option('--drain <duration>', 'how long running tasks may take to end', '30s')
    .option(
      '--migrations <file>',
      "a module that exports the application's migrations, which make its tables on the new server",
    )
    .option(
      '--finish',
      'drop the copy on the server that the tenant has moved away from; exit code 1 if there is none',
    )
    .action(run(move));
}

async function move(
  context: CommandContext,
  options: MoveCommandOptions,
  name: string,
): Promise<ExitCode> {
  const { to, finish, dryRun } = options;
  if (context.allDatabases.some(({ server }) => server === undefined))
    throw new UsageError(
      'A tenant moves between servers that have names: set CLOACINA_SERVERS, such as eu=postgres://…,us=postgres://…',
    );
  if (finish === true) {
    if (to !== undefined || dryRun === true)
      throw new UsageError('Give --finish alone: it drops the copy of a move that has ended.');
    return finishMove(context, name);
  }
  if (to === undefined) throw new UsageError('Name the server to move to with --to.');
  const schema = await schemaOf(context, name);
  const migrations = await migrationsOf(options.migrations);
  const admin = await context.admin(context.allDatabases);
  const shown = await phaseProgress(context, 'Moving');
  const request: MoveTenantOptions = {
    schema,
    to,
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(options.drain === undefined ? {} : { drainTimeout: options.drain }),
    ...(migrations === undefined ? {} : { migrations }),
    onProgress: (progress) =>
      shown.update(percent(progress), PHASES[progress.phase], detailOf(progress)),
  };
  const report = await admin.moveTenant(request).finally(() => shown.stop());
  return context.answer(report, () => print(report, dryRun === true), ExitCode.ok);
}

/** Moved rows may be larger than their table was, so the copy ends at 90. */
function percent({ phase, bytes, totalBytes }: MoveProgress): number {
  if (phase === 'preparing') return 0;
  if (phase !== 'copying') return phase === 'validating' ? 100 : 95;
  return Math.min(90, Math.round((bytes / Math.max(1, totalBytes)) * 90));
}

const PHASES: Readonly<Record<MoveProgress['phase'], string>> = {
  preparing: 'Preparing',
  copying: 'Copying',
  catchingUp: 'Copying what has changed',
  stopping: 'Waiting for running tasks',
  carrying: 'Carrying the last changes over',
  switching: 'Switching',
  validating: 'Checking foreign keys',
};

function detailOf({ phase, tables, bytes }: MoveProgress): string | undefined {
  if (phase !== 'copying') return undefined;
  return `${tables.done} of ${tables.total} tables, ${megabytes(bytes)}`;
}

async function finishMove(context: CommandContext, name: string): Promise<ExitCode> {
  const schema = await schemaOf(context, name);
  const question = `This drops the copies of schema "${schema}" on the servers that it has moved away from.`;
  if (!(await confirmed(context, question))) throw new CommandFailure('Nothing was dropped.');
  const finished = await (await context.admin(context.allDatabases)).finishMove({ schema });
  const { dropped } = finished;
  return context.answer(
    finished,
    () =>
      dropped.length === 0
        ? `Nothing to finish: no server has an old copy of schema "${schema}".`
        : `Dropped ${counted(dropped.length, 'object')}: ${dropped.join(', ')}.`,
    dropped.length === 0 ? ExitCode.failed : ExitCode.ok,
  );
}

/** The schema of the tenant of that name; the name itself if no tenant has it. */
async function schemaOf(context: CommandContext, name: string): Promise<string> {
  const tenants = await (await context.admin(context.allDatabases)).listTenants();
  const named = tenants.filter(({ tenant, schema }) => tenant === name || schema === name);
  const schemas = [...new Set(named.map(({ schema }) => schema))];
  if (schemas.length > 1)
    throw new UsageError(
      `Several tenants are named ${JSON.stringify(name)}. Give the schema: ${schemas.join(', ')}.`,
    );
  return schemas[0] ?? name;
}

type Migrations = NonNullable<MoveTenantOptions['migrations']>;

/** The classes with `up` that a module exports, one by one or in arrays, as TypeORM takes them. */
async function migrationsOf(file: string | undefined): Promise<Migrations | undefined> {
  if (file === undefined) return undefined;
  let module: object;
  try {
    module = (await import(pathToFileURL(path.resolve(file)).href)) as object;
  } catch (error) {
    throw new UsageError(`--migrations: ${(error as Error).message}`);
  }
  const inner: unknown = Reflect.get(module, 'default');
  const exported: unknown[] = [...Object.values(module), ...Object.values(Object(inner) as object)];
  const classes = exported
    .flat()
    .filter(
      (value): value is Migrations[number] =>
        typeof value === 'function' &&
        typeof Reflect.get(Object(value.prototype), 'up') === 'function',
    );
  if (classes.length === 0) throw new UsageError(`--migrations: ${file} exports no migration.`);
  return [...new Set(classes)];
}

function print(report: MoveReport, isDry: boolean): string {
  const { schema, from, to, tables, rows, bytes, durationMs, stoppedMs, notes } = report;
  const size = `${counted(tables, 'table')}, ${isDry ? 'about ' : ''}${counted(rows, 'row')}, ${megabytes(bytes)}`;
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const lines =
    from === to || tables === 0
      ? [`Schema "${schema}" is on server "${to}".`]
      : isDry
        ? [`Schema "${schema}" can be moved from server "${from}" to "${to}": ${size}.`]
        : [
            `Moved schema "${schema}" from server "${from}" to "${to}": ${size}, in ${seconds(durationMs)}. ` +
              `It stood still for ${seconds(stoppedMs)}.`,
            'The old server keeps its copy. Drop it with --finish.',
          ];
  return [...lines, ...notes].join('\n');
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
