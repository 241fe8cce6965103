/**
 * An application in a process of its own, on the database of DATABASE_URL. It does what it is told by messages, and
 * says how that went: `{ id, result }` or `{ id, error }`.
 */
import 'reflect-metadata';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import type { CloacinaTenantOptions } from '../../../lib/cloacina.options.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';

/** What the test asks for. */
export type Request =
  | { readonly add: CloacinaTenantOptions; readonly times?: number }
  | { readonly remove: string }
  | { readonly list: true };

const whoRan = defineWorkflow('who-ran')
  .task('only', () => ({ pid: process.pid }))
  .build();

@Module({
  imports: [CloacinaModule.forRoot({ tenants: { discover: process.env['DISCOVER'] === 'true' } })],
  providers: [{ provide: whoRan.name, useValue: whoRan }],
})
class AppModule {}

Logger.overrideLogger(false);
const app = await NestFactory.createApplicationContext(AppModule);
const tenants = app.get(CloacinaTenants);

async function answer(request: Request): Promise<unknown> {
  if ('list' in request) return tenants.list().map(({ name, schema }) => ({ name, schema }));
  if ('remove' in request) return tenants.remove(request.remove);
  const { add, times = 1 } = request;
  const added = await Promise.all(Array.from({ length: times }, () => tenants.add({ ...add })));
  return new Set(added).size;
}

process.on('message', (message: Request & { id: number }) => {
  answer(message).then(
    (result) => process.send?.({ id: message.id, result: result ?? null }),
    (error: unknown) => process.send?.({ id: message.id, error: String(error) }),
  );
});
process.send?.({ id: 0, result: await answer({ list: true }) });
