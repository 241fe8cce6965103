import type { LoggerService } from '@nestjs/common';
import pc from 'picocolors';
import type { CloacinaAdmin, CloacinaAdminOptions, Tenant } from '../index.js';
import { databasesOf, type NamedDatabase } from './databases.js';
import { IncompleteError, UsageError, type ExitCode } from './exit-code.js';
import { loadClient, loadLibrary } from './library.js';
import { reachableTenants, type ReachableTenants } from './reachable.js';
import { StderrLogger } from './stderr-logger.js';
import { findTarget, livesThere, type PlacedTarget } from './target.js';
import type { Terminal } from './terminal.js';
import { printJson } from './output/print-json.js';
import { printable } from './output/text.js';

/** Options of every command. */
export interface GlobalOptions {
  readonly databaseUrl?: string;
  readonly server?: string;
  readonly tenant?: string;
  readonly schema?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly debug?: boolean;
  readonly color?: boolean;
}

type Colors = ReturnType<typeof pc.createColors>;

/** What a command gets: the options of every command, and ways to answer. */
export class CommandContext {
  readonly colors: Colors;
  readonly logger: LoggerService;
  /** Servers of which standard error says that they could not be reached. */
  private readonly noted = new Set<string>();

  constructor(
    readonly terminal: Terminal,
    readonly options: GlobalOptions,
  ) {
    this.colors = pc.createColors(terminal.isColored && options.color !== false);
    this.logger = new StderrLogger(terminal.stderr, options.debug === true);
  }

  /** The databases that the command is for. Throws UsageError if none is named. */
  get databases(): readonly NamedDatabase[] {
    return databasesOf(this.options, this.terminal.env);
  }

  /** Those among which --server chooses. */
  get allDatabases(): readonly NamedDatabase[] {
    const chosen = this.databases;
    return this.options.server === undefined ? chosen : databasesOf({}, this.terminal.env);
  }

  /** @throws UsageError if no database is named, or several */
  get databaseUrl(): string {
    const [only, ...others] = this.databases;
    if (only !== undefined && others.length === 0) return only.databaseUrl;
    throw new UsageError(
      `Name a server with --server. The servers are ${this.databases.map(({ server }) => server).join(', ')}.`,
    );
  }

  /** An admin of databases, by default those that the command is for. */
  async admin(databases = this.databases): Promise<CloacinaAdmin> {
    const { CloacinaAdmin: Admin } = await loadLibrary();
    return new Admin(adminOptionsOf(databases));
  }

  /**
   * The database of a schema that need not exist: the one that has it, else the only one, or that of --server.
   *
   * @param othersMayBeAway - whether a server that could not be reached is taken not to have the schema
   * @throws UsageError if a server has it that --server does not name, or if the choice is not clear
   * @throws IncompleteError if no server has it, and one could not be reached
   */
  async placeFor(schema: string, othersMayBeAway = false): Promise<NamedDatabase> {
    const { databases, allDatabases } = this;
    if (allDatabases.length > 1) {
      const here = await this.holderOf(schema, databases);
      if (here.holder !== undefined) return here.holder;
    }
    const { databaseUrl } = this;
    if (databases.length < allDatabases.length) {
      const { holder, away } = await this.holderOf(schema, allDatabases);
      if (holder !== undefined) {
        throw new UsageError(
          `The schema ${JSON.stringify(schema)} is a tenant's on server ${holder.server}.`,
        );
      }
      if (away.length > 0 && !othersMayBeAway) {
        throw new IncompleteError(
          `No server that answers has the schema ${JSON.stringify(schema)}. ${away.join(', ')} could not be reached and may have it. ` +
            'Repeat the command when all servers answer.',
        );
      }
    }
    return databases[0] ?? { databaseUrl };
  }

  private async holderOf(
    schema: string,
    databases: readonly NamedDatabase[],
  ): Promise<{ readonly holder: NamedDatabase | undefined; readonly away: readonly string[] }> {
    const { tenants, away } = await this.reachableTenants(databases);
    const found = tenants.find((each) => each.schema === schema && livesThere(each));
    return {
      holder: found && databases.find(({ server }) => server === found.server),
      away: away.map(({ server }) => server),
    };
  }

  /**
   * Lists the tenants of the databases that answer, by default of those that the command is for. Names the others on standard
   * error. Rejects if none answers.
   */
  async reachableTenants(databases = this.databases): Promise<ReachableTenants> {
    const found = await reachableTenants(await this.admin(databases));
    for (const { server, error } of found.away) {
      if (this.noted.has(server)) continue;
      this.noted.add(server);
      this.terminal.stderr.write(
        `Server ${server} could not be reached and is left out: ${printable(error.message)}\n`,
      );
    }
    return found;
  }

  /**
   * The tenant that --tenant or --schema names, or the only one of the databases.
   *
   * @param lacksName - as in {@link findTarget}
   * @throws IncompleteError if a server that could not be reached may have the tenant
   */
  async target(lacksName?: string): Promise<PlacedTarget> {
    const { tenants, away } = await this.reachableTenants();
    const names = away.map(({ server }) => server);
    return findTarget(tenants, this.databases, this.options, names, lacksName);
  }

  /** Opens the named tenant. It claims nothing. */
  async withTenant<T>(
    work: (tenant: Tenant, target: PlacedTarget) => Promise<T>,
    { recovers = false }: { readonly recovers?: boolean } = {},
  ): Promise<T> {
    const target = await this.target();
    const { withClient } = await loadClient();
    const { databaseUrl, tenant: name, schema } = target;
    const { logger } = this;
    return withClient({ databaseUrl, tenant: name, schema, recovers, logger }, (tenant) =>
      work(tenant, target),
    );
  }

  /**
   * Writes the result: the document with --json, otherwise what `print` returns for people.
   *
   * @param document - its shape is stable
   */
  answer(document: object, print: () => string, exitCode: ExitCode): ExitCode {
    if (this.options.json === true) printJson(this.terminal.stdout, document);
    else this.terminal.stdout.write(`${print()}\n`);
    return exitCode;
  }
}

/** One database is not named in messages and documents, unless it is of CLOACINA_SERVERS. */
export function adminOptionsOf(databases: readonly NamedDatabase[]): CloacinaAdminOptions {
  const [first] = databases;
  if (first === undefined || first.server === undefined) {
    return first === undefined ? {} : { databaseUrl: first.databaseUrl };
  }
  return {
    servers: Object.fromEntries(
      databases.map(({ server = '', databaseUrl }) => [server, { databaseUrl }]),
    ),
  };
}
