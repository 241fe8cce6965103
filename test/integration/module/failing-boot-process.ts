import { NestFactory } from '@nestjs/core';
import { failingApplication, type FAILING_PARTS } from './failing-boot.js';

/** A process whose boot fails, and which catches the error and leaves the rest to Node. */
const [part = 'a factory', url = '', kind] = process.argv.slice(2);
const AppModule = failingApplication(part as (typeof FAILING_PARTS)[number], url);
const options = { abortOnError: false, logger: false } as const;
try {
  if (kind === 'context') await NestFactory.createApplicationContext(AppModule, options);
  else await (await NestFactory.create(AppModule, options)).init();
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 42;
}
