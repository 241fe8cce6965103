import { afterAll, afterEach, beforeEach } from '@jest/globals';
import { Logger, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import type { CloacinaSharedOptions } from '../../../lib/cloacina.options.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { databaseUrl } from '../../support/postgres.js';

// Tests remove tenants under running handlers on purpose: the warnings would drown the report.
Logger.overrideLogger(false);

const open = { file: new Set<TestingModule>(), test: new Set<TestingModule>() };
let scope: keyof typeof open = 'file';
beforeEach(() => {
  scope = 'test';
});
afterEach(async () => {
  scope = 'file';
  await closeAll(open.test);
});
afterAll(() => closeAll(open.file));

async function closeAll(apps: Set<TestingModule>): Promise<void> {
  await Promise.all([...apps].map((app) => app.close()));
  apps.clear();
}

export interface Application {
  readonly app: TestingModule;
  readonly tenants: CloacinaTenants;
}

/** An application that has not been initialized; closed after the test, or after the file. */
export async function compile(
  providers: ModuleMetadata['providers'],
  {
    shared,
    imports = [],
  }: { shared?: CloacinaSharedOptions; imports?: ModuleMetadata['imports'] } = {},
): Promise<Application> {
  const root = CloacinaModule.forRoot({ databaseUrl: databaseUrl(), poolSize: 5, ...shared });
  const app = await Test.createTestingModule({
    imports: [root, ...imports],
    providers: [...(providers ?? [])],
  }).compile();
  open[scope].add(app);
  return { app, tenants: app.get(CloacinaTenants) };
}

/** The same, initialized. */
export async function start(...args: Parameters<typeof compile>): Promise<Application> {
  const application = await compile(...args);
  await application.app.init();
  return application;
}
