import { ConsoleLogger } from '@nestjs/common';

/** Nest says of every module and every route that it is there. */
const LEFT_OUT = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer']);

/** A line is a time and what happened. */
export class ShortLogger extends ConsoleLogger {
  constructor() {
    super({ colors: Boolean(process.stdout.isTTY) && !process.env['NO_COLOR'] });
  }

  override log(message: unknown, ...rest: unknown[]): void {
    const context: unknown = rest.at(-1);
    if (typeof context === 'string' && LEFT_OUT.has(context)) return;
    super.log(message, ...rest);
  }

  protected override formatPid(): string {
    return '';
  }

  protected override getTimestamp(): string {
    return new Date().toTimeString().slice(0, 8);
  }
}
