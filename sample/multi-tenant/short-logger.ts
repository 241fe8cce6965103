import { ConsoleLogger } from '@nestjs/common';
import { footer } from './footer.js';

/** The contexts under which Nest logs a line for every module and every route. */
const LEFT_OUT = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer']);

/** Logs one line with the time and the message. */
export class ShortLogger extends ConsoleLogger {
  constructor() {
    super({ colors: Boolean(process.stdout.isTTY) && !process.env['NO_COLOR'] });
  }

  override log(message: unknown, ...rest: unknown[]): void {
    const context: unknown = rest.at(-1);
    if (typeof context === 'string' && LEFT_OUT.has(context)) return;
    super.log(message, ...rest);
  }

  protected override printMessages(...lines: Parameters<ConsoleLogger['printMessages']>): void {
    if (footer === undefined) super.printMessages(...lines);
    else footer.above(() => super.printMessages(...lines));
  }

  protected override formatPid(): string {
    return '';
  }

  protected override getTimestamp(): string {
    return new Date().toTimeString().slice(0, 8);
  }
}
