import type { LoggerService } from '@nestjs/common';
import pc from 'picocolors';
import type { CloacinaAdmin, CloacinaAdminOptions, Tenant } from '../index.js';
import { databasesOf, type NamedDatabase } from './databases.js';
import { UsageError, type ExitCode } from './exit-code.js';
import { loadClient, loadLibrary } from './library.js';
import { StderrLogger } from './stderr-logger.js';
import { findTarget, type PlacedTarget } from './target.js';
import type { Terminal } from './terminal.js';
import { printJson } from './output/print-json.js';

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

  /** @throws UsageError if no database is named, or several */
  get databaseUrl(): string {
    const [only, ...others] = this.databases;
    if (only !== undefined && others.length === 0) return only.databaseUrl;
    throw new UsageError(
      `Name a server with --server. The servers are ${this.databases.map(({ server }) => server).join(', ')}.`,
    );
  }

  /** An admin of the databases that the command is for. */
  async admin(): Promise<CloacinaAdmin> {
    const { CloacinaAdmin: Admin } = await loadLibrary();
    return new Admin(adminOptionsOf(this.databases));
  }

  /** The tenant that --tenant or --schema names, or the only one of the databases. */
  async target(): Promise<PlacedTarget> {
    return findTarget(await (await this.admin()).listTenants(), this.databases, this.options);
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
