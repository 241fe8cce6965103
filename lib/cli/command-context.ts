import type { LoggerService } from '@nestjs/common';
import pc from 'picocolors';
import type { Tenant } from '../index.js';
import { UsageError, type ExitCode } from './exit-code.js';
import { loadClient } from './library.js';
import { StderrLogger } from './stderr-logger.js';
import { findTarget, type Target } from './target.js';
import type { Terminal } from './terminal.js';
import { printJson } from './output/print-json.js';

/** Options of every command. */
export interface GlobalOptions {
  readonly databaseUrl?: string;
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

  /** @throws UsageError if neither the option nor the environment names the database */
  get databaseUrl(): string {
    const url = this.options.databaseUrl ?? this.terminal.env['DATABASE_URL'];
    if (url !== undefined && url !== '') return url;
    throw new UsageError(
      'No database is named. Set DATABASE_URL in the environment, or give --database-url.',
    );
  }

  /** The tenant that --tenant or --schema names, or the only one of the database. */
  target(): Promise<Target> {
    return findTarget(this.databaseUrl, this.options);
  }

  /** Opens the named tenant. It claims nothing. */
  async withTenant<T>(
    work: (tenant: Tenant, target: Target) => Promise<T>,
    { recovers = false }: { readonly recovers?: boolean } = {},
  ): Promise<T> {
    const target = await this.target();
    const { withClient } = await loadClient();
    const { databaseUrl, logger } = this;
    return withClient({ databaseUrl, ...target, recovers, logger }, (tenant) =>
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
