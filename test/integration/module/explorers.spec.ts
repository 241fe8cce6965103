import { Module, type INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Entity, PrimaryColumn } from 'typeorm';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getRunnerToken } from '../../../lib/cloacina.tokens.js';
import { ConfigurationError } from '../../../lib/errors/index.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { prepareSchema } from '../../support/open-tenant.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { EXPLORING_MODULES, type ExploringModule } from './exploring-modules.js';

const open: INestApplication[] = [];
const tenants: string[] = [];

beforeAll(async () => {
  tenants.push(freshSchema('a'), freshSchema('b'), freshSchema('c'));
  for (const schema of tenants) await prepareSchema(schema);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

interface How {
  readonly tenants: number;
  readonly deepHash?: boolean;
  readonly snapshot?: boolean;
}

async function start(modules: readonly ExploringModule[], how: How): Promise<INestApplication> {
  @Module({
    imports: [
      ...modules.flatMap(({ imports }) => imports()),
      CloacinaModule.forRoot({ databaseUrl: databaseUrl() }),
      ...tenants.slice(0, how.tenants).map((schema) => CloacinaModule.forTenant({ schema })),
    ],
    providers: [...new Set(modules.flatMap(({ providers = [] }) => providers))],
    controllers: modules.flatMap(({ controllers = [] }) => controllers),
  })
  class AppModule {}
  const builder = Test.createTestingModule(
    { imports: [AppModule] },
    { moduleIdGeneratorAlgorithm: how.deepHash === true ? 'deep-hash' : 'reference' },
  );
  const compiled = await builder.compile({ snapshot: how.snapshot === true });
  const app = compiled.createNestApplication();
  open.push(app);
  for (const { prepare } of modules) prepare?.(app);
  return app.init();
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

async function working(app: INestApplication): Promise<string[]> {
  const found: string[] = [];
  for (const { name, works } of EXPLORING_MODULES) {
    if (await works(app, tenants[0] ?? '')) found.push(name);
  }
  return found;
}

const all = EXPLORING_MODULES.map(({ name }) => name);

describe.each([1, 2, 3])('Applications with %i tenants', (count) => {
  it('boot beside all modules that explore the providers', async () => {
    const app = await start(EXPLORING_MODULES, { tenants: count });
    expect(await working(app)).toEqual(all);
    for (const schema of tenants.slice(0, count)) {
      expect(app.get<CloacinaRunner>(getRunnerToken(schema)).schema).toBe(schema);
    }
    const runner = app.get(CloacinaRunner);
    expect(runner).toBeInstanceOf(CloacinaRunner);
    if (count === 1) expect(runner.schema).toBe(tenants[0]);
    else expect(() => runner.list()).toThrow(ConfigurationError);
  });

  it('boot with modules known by a deep hash, and with a snapshot of the graph', async () => {
    const app = await start(EXPLORING_MODULES, { tenants: count, deepHash: true, snapshot: true });
    expect(await working(app)).toEqual(all);
    for (const schema of tenants.slice(0, count)) {
      expect(app.get<CloacinaRunner>(getRunnerToken(schema)).schema).toBe(schema);
    }
  });
});

it('Every property of every provider can be read', async () => {
  class Invoice {
    id = 0;
  }
  Entity('invoice')(Invoice);
  PrimaryColumn('int')(Invoice.prototype, 'id');
  const own = { databaseUrl: databaseUrl(), entities: [Invoice] };
  const app = await Test.createTestingModule({
    imports: tenants.slice(0, 2).map((schema) => CloacinaModule.forTenant({ schema, ...own })),
  }).compile();
  open.push(await app.createNestApplication().init());
  const failed: string[] = [];
  let read = 0;
  for (const module of app.get(ModulesContainer).values()) {
    for (const { instance, name } of module.providers.values()) {
      for (let at: unknown = instance; isObject(at); at = Reflect.getPrototypeOf(at)) {
        for (const key of Reflect.ownKeys(at)) {
          // What browsers and old engines had.
          if (at === Object.prototype || at === Function.prototype) continue;
          try {
            Reflect.get(instance as object, key);
            read++;
          } catch (error) {
            failed.push(`${String(name)}.${String(key)}: ${String(error)}`);
          }
        }
      }
    }
  }
  expect(failed).toEqual([]);
  expect(read).toBeGreaterThan(200);
});

it.each(EXPLORING_MODULES)('Two tenants boot beside $name alone', async (module) => {
  const app = await start([module], { tenants: 2 });
  expect(await module.works(app, tenants[0] ?? '')).toBe(true);
});
