import { NestFactory } from '@nestjs/core';
import { failingApplication, type FAILING_PARTS } from './failing-boot.js';

/** A process whose boot fails, and which catches the error and leaves the rest to Node, or goes on. */
const [part = 'a factory', url = '', kind, then] = process.argv.slice(2);
const goesOn = then === 'goes on';

/**
 * Longer timers never fire here, in milliseconds. So a process that ends only with its idle connections never ends, and one
 * that keeps connections for longer than a boot needs them keeps them for ever, however busy the machine is.
 */
const LONGEST_MS = goesOn ? 1_000 : 999;
const NEVER_MS = 2 ** 31 - 1;
const { setTimeout: realTimer } = globalThis;
Reflect.set(
  globalThis,
  'setTimeout',
  (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    realTimer(callback, ms > LONGEST_MS ? NEVER_MS : ms, ...args),
);

const AppModule = failingApplication(part as (typeof FAILING_PARTS)[number], url);
const options = { abortOnError: false, logger: false } as const;
try {
  if (kind === 'context') await NestFactory.createApplicationContext(AppModule, options);
  else await (await NestFactory.create(AppModule, options)).init();
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 42;
}
if (goesOn) {
  // As long as it listens, it runs.
  process.on('message', () => undefined);
  process.send?.('failed');
}
