import type { Writable } from 'node:stream';
import type { LoggerService } from '@nestjs/common';
import { withoutSecrets } from '../errors/without-secrets.js';
import { printable } from './output/text.js';

/** Says that recovery is off, which it is on purpose. */
const UNASKED = new Set(['CloacinaRecovery']);

/** The log of the library on standard error: warnings and errors, and all of it with --debug. */
export class StderrLogger implements LoggerService {
  constructor(
    private readonly stderr: Writable,
    private readonly isDebugging: boolean,
  ) {}

  log(message: unknown, ...rest: unknown[]): void {
    if (this.isDebugging) this.write(message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.log(message, ...rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.log(message, ...rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    const isUnasked = typeof context === 'string' && UNASKED.has(context);
    if (this.isDebugging || !isUnasked) this.write(message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write(message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write(message, rest);
  }

  private write(message: unknown, rest: readonly unknown[]): void {
    const context = rest.at(-1);
    const from = typeof context === 'string' ? `[${context}] ` : '';
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    this.stderr.write(`${from}${printable(withoutSecrets(text))}\n`);
  }
}
