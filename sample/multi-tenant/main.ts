import 'reflect-metadata';
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { FirstImport } from './imports/first-import.js';
import { listen } from './listen.js';
import { PublicUrl } from './public-url.js';
import { ShortLogger } from './short-logger.js';
import { commandsToTry } from './welcome.js';

async function main(): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    logger: new ShortLogger(),
    abortOnError: false,
  });
  app.set('json spaces', 2);
  app.enableShutdownHooks(['SIGINT', 'SIGTERM'], { useProcessExit: true });
  try {
    const url = await listen(app, app.get(ConfigService).get<number>('PORT'));
    app.get(PublicUrl).set(url);
    console.log(`\nDashboard: ${url}/cloacina\n`);
    const inbox = app.get(ConfigService).getOrThrow<string>('INBOX');
    if (await app.get(FirstImport).run()) console.log(`\n${commandsToTry(url, inbox)}\n`);
  } catch (error) {
    await app.close();
    throw error;
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
