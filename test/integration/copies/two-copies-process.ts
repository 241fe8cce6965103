/**
 * An application whose module comes from one copy of the package, and whose workflows and errors come from another
 * one, as after two installations of it. Sends what came of it.
 */
import 'reflect-metadata';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConsoleLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as first from '../../../lib/index.js';

const lib = fileURLToPath(new URL('../../../lib', import.meta.url));
const folder = mkdtempSync(path.join(path.dirname(lib), 'second-copy-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
cpSync(lib, path.join(folder, 'lib'), { recursive: true });
writeFileSync(
  path.join(folder, 'package.json'),
  JSON.stringify({ name: 'nestjs-cloacina', version: '0.0.9', type: 'module' }),
);
const index = ['index.js', 'index.ts']
  .map((name) => path.join(folder, 'lib', name))
  .find((file) => existsSync(file));
const second = (await import(pathToFileURL(index ?? '').href)) as typeof first;

/** Where the second copy's errors mean nothing, it is an hour until the next attempt. */
const retry = { maxAttempts: 3, delay: '1h' } as const;
const attempts = { final: 0, later: 0 };

class CardDeclined extends second.NonRetryableError {}

@second.Workflow({ name: 'decorated' })
class Decorated {
  @second.Task({ retry })
  charge(): never {
    attempts.final++;
    throw new CardDeclined('declined');
  }
}

const built = second
  .defineWorkflow('built')
  .task('later', { retry }, () => {
    if (++attempts.later === 1) throw new second.RetryAfterError(1);
    return { attempts: attempts.later };
  })
  .build();

@Module({
  imports: [first.CloacinaModule.forTenant({ schema: process.env['SCHEMA'] ?? '' })],
  providers: [Decorated, { provide: 'built', useValue: built }],
})
class AppModule {}

const warnings: string[] = [];
class Log extends ConsoleLogger {
  override warn(message: unknown): void {
    warnings.push(String(message));
  }
}
const logger = new Log();
logger.setLogLevels(['warn']);
const app = await NestFactory.createApplicationContext(AppModule, { logger });
const runner = app.get(first.CloacinaRunner);
const [failed, ended] = await Promise.all([
  runner.execute(Decorated, {}, { settled: true }),
  runner.execute(built, {}, { settled: true }),
]);
const unknown = await runner.start('unknown').catch((error: unknown) => error);
process.send?.({
  places: [path.dirname(lib), folder],
  warnings: warnings.filter((line) => line.includes('loaded')),
  attempts,
  statuses: [failed.status, ended.status],
  instances: {
    base: unknown instanceof second.CloacinaError,
    same: unknown instanceof second.UnknownWorkflowError,
    other: unknown instanceof second.UnknownTenantError,
    error: new second.NonRetryableError('') instanceof first.NonRetryableError,
    subclass: new CardDeclined() instanceof first.NonRetryableError,
    ofSubclass: new first.NonRetryableError('') instanceof CardDeclined,
    kinds: new second.RetryAfterError(1) instanceof first.NonRetryableError,
  },
});
await app.close();
