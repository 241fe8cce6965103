import { open, rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.js';
import { CommandFailure, ExitCode, UsageError } from '../exit-code.js';
import type { ListedTenant } from '../../index.js';
import { loadLibrary } from '../library.js';
import { confirmed } from '../output/confirm.js';
import { table } from '../output/table.js';
import { counted } from '../output/text.js';
import type { RunCommand } from '../run-command.js';
import { addMove } from './move.js';

interface CreateOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly credentials?: string;
  readonly othersMayBeAway?: boolean;
}

interface RemoveOptions {
  readonly username?: string;
  readonly drain?: string;
  readonly duringMove?: boolean;
}

export function addTenants(program: Command, run: RunCommand): void {
  const tenants = program.command('tenants').description('List, create, move and remove tenants.');
  tenants
    .command('list')
    .description("List the schemas that contain the library's tables.")
    .action(run(list));
  tenants
    .command('create')
    .description(
      'Create a schema with the tables: of this login, or with --username of a login of its own.',
    )
    .argument('<schema>', 'the schema to create')
    .option('--username <role>', 'create this role as the login of the tenant')
    .option('--credentials <file>', 'write the URL with the generated password to this new file')
    .option('--password-stdin', 'read the password from standard input instead of generating one')
    .option(
      '--others-may-be-away',
      'with --server, although another server does not answer: only if that one does not have the schema',
    )
    .action(run(create));
  tenants
    .command('remove')
    .description(
      'Drop a tenant forever: its schema with everything in it, and its own login; exit code 1 if there is nothing to remove.',
    )
    .argument('<schema>', 'the schema to drop')
    .option('--username <role>', 'the login of the tenant; default: found by the schema')
    .option('--drain <duration>', 'how long running handlers may continue', '30s')
    .option(
      '--during-move',
      'remove it although a move to another server is not finished, with all that the move has made',
    )
    .action(run(remove));
  addMove(tenants, run);
}

async function list(context: CommandContext): Promise<ExitCode> {
  const { tenants, away } = await context.reachableTenants();
  // Databases without names have no column.
  const hasServers = tenants.some(({ server }) => server !== undefined);
  const hasMoves = tenants.some(({ move }) => move !== undefined);
  const head = [
    'tenant',
    'schema',
    'newest migration',
    ...(hasServers ? ['server'] : []),
    ...(hasMoves ? ['move'] : []),
  ];
  return context.answer(
    {
      tenants: tenants.map(({ tenant, schema, version, server, move }) => ({
        tenant,
        schema,
        version,
        ...(server === undefined ? {} : { server }),
        ...(move === undefined ? {} : { move }),
      })),
      ...(away.length === 0 ? {} : { away }),
    },
    () =>
      tenants.length === 0
        ? 'No tenants.'
        : table(
            context,
            head,
            tenants.map(({ tenant, schema, version, server, move }) => [
              tenant,
              schema,
              version,
              ...(hasServers ? [server ?? ''] : []),
              ...(hasMoves ? [move === undefined ? '' : inWords(move)] : []),
            ]),
          ),
    away.length === 0 ? ExitCode.ok : ExitCode.incomplete,
  );
}

function inWords({ state, peer, isInterrupted }: NonNullable<ListedTenant['move']>): string {
  const does = {
    copying: 'copied to',
    stopping: 'stops, moves to',
    moved: 'moved to',
    arriving: 'arrives from',
  }[state];
  if (isInterrupted === null)
    return `${does} ${peer}, which was not asked whether the move goes on`;
  return `${does} ${peer}${isInterrupted ? ', interrupted' : ''}`;
}

async function create(
  context: CommandContext,
  options: CreateOptions,
  schema: string,
): Promise<ExitCode> {
  const { username } = options;
  if (username === undefined) return createSchema(context, options, schema);
  const password = options.passwordStdin === true ? await readPassword(context) : undefined;
  if ((password === undefined) === (options.credentials === undefined)) {
    throw new UsageError(
      'The password of the login is not printed. Give --credentials FILE to have one generated and written there, or --password-stdin.',
    );
  }
  // Opened before the login exists: its password is stored nowhere else.
  const file = options.credentials === undefined ? undefined : await newFile(options.credentials);
  let place: { readonly server?: string } = {};
  try {
    // The other servers are asked too: one of them may have a tenant on the schema.
    const admin = await context.admin(context.allDatabases);
    const { server: wanted } = context.options;
    const { connectionString, server } = await admin
      .createTenant({
        schema,
        username,
        ...(password === undefined ? {} : { password }),
        ...(wanted === undefined ? {} : { server: wanted }),
        ...(options.othersMayBeAway === undefined
          ? {}
          : { othersMayBeAway: options.othersMayBeAway }),
      })
      .catch(async (error: unknown) => {
        // It is this command's own and empty, and would refuse the repeated command.
        if (options.credentials !== undefined) await rm(options.credentials, { force: true });
        throw error;
      });
    place = server === undefined ? {} : { server };
    await file?.writeFile(`${connectionString}\n`);
  } finally {
    await file?.close();
  }
  const where = options.credentials === undefined ? {} : { credentials: options.credentials };
  return context.answer(
    { schema, username, ...where, ...place },
    () =>
      `Created tenant "${schema}" with the login "${username}".` +
      (options.credentials === undefined
        ? ''
        : ` Its URL, with the password, is in ${options.credentials}.`),
    ExitCode.ok,
  );
}

async function createSchema(
  context: CommandContext,
  options: CreateOptions,
  schema: string,
): Promise<ExitCode> {
  if (options.credentials !== undefined || options.passwordStdin === true)
    throw new UsageError('--credentials and --password-stdin need --username.');
  const { withMigrators } = await loadLibrary();
  const { databaseUrl } = await context.placeFor(schema, options.othersMayBeAway);
  const applied = await withMigrators({ databaseUrl }, [schema], async ([migrator]) =>
    migrator?.run(),
  );
  return context.answer(
    { schema, applied: applied ?? [] },
    () =>
      (applied ?? []).length === 0
        ? `Tenant "${schema}" exists already, and is up to date.`
        : `Created tenant "${schema}".`,
    ExitCode.ok,
  );
}

async function remove(
  context: CommandContext,
  { username, drain, duringMove }: RemoveOptions,
  schema: string,
): Promise<ExitCode> {
  const question = `This drops schema "${schema}" with all its executions and tables, and the login of the tenant.`;
  if (!(await confirmed(context, question))) throw new CommandFailure('Nothing was dropped.');
  const { dropped } = await (
    await context.admin()
  ).removeTenant({
    schema,
    ...(username === undefined ? {} : { username }),
    ...(drain === undefined ? {} : { drain }),
    ...(duringMove === undefined ? {} : { duringMove }),
  });
  // A name that is mistyped must not look like a tenant that was removed.
  if (dropped.length === 0) {
    throw new CommandFailure(
      `Nothing to remove: the database has no schema "${schema}", and no login that was created for it. ` +
        '"tenants list" shows the schemas.',
    );
  }
  return context.answer(
    { schema, dropped },
    () => `Dropped ${counted(dropped.length, 'object')}: ${dropped.join(', ')}.`,
    ExitCode.ok,
  );
}

async function readPassword({ terminal }: CommandContext): Promise<string> {
  return (await text(terminal.stdin)).replace(/\r?\n$/, '');
}

/** Creates a file that only its owner can read. One that exists is not touched. */
async function newFile(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    throw new UsageError(`--credentials: ${(error as Error).message}`);
  }
}
