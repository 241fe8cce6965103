import { describe, expect, it } from '@jest/globals';
import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { ActionsController } from '../../../lib/dashboard/controllers/actions.controller.js';
import { ExecutionsController } from '../../../lib/dashboard/controllers/executions.controller.js';
import { OverviewController } from '../../../lib/dashboard/controllers/overview.controller.js';
import { TenantController } from '../../../lib/dashboard/controllers/tenant.controller.js';
import { openApiDocument } from '../../../lib/dashboard/openapi/document.js';
import { problemsOf } from '../../support/json-schema.js';

const script = '../../../scripts/openapi.mjs';
const { committedSchemas, openApiSchemas } = (await import(script)) as {
  committedSchemas: () => string;
  openApiSchemas: () => Promise<string>;
};

const TENANT = '/api/tenants/:tenant';
const CONTROLLERS: readonly [path: string, controller: { readonly prototype: object }][] = [
  ['/api', OverviewController],
  [`${TENANT}/executions`, ExecutionsController],
  [TENANT, TenantController],
  [TENANT, ActionsController],
];

/** The routes of the controllers, such as `get /api/session`. */
function routesOfControllers(): string[] {
  return CONTROLLERS.flatMap(([base, { prototype }]) =>
    Object.getOwnPropertyNames(prototype).flatMap((name) => {
      const handler = Reflect.get(prototype, name) as object;
      const path = Reflect.getMetadata(PATH_METADATA, handler) as string | undefined;
      if (path === undefined) return [];
      const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number];
      const full = `${base}/${path}`.replace(/\/+$/, '').replaceAll(/:(\w+)/g, '{$1}');
      return [`${method?.toLowerCase()} ${full}`];
    }),
  );
}

describe('The OpenAPI document', () => {
  const { paths, components, ...head } = openApiDocument('/ops/cloacina');
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

  it('has each route of the controllers, and no other', () => {
    const described = operations.map(({ path, method }) => `${method} ${path}`);
    expect(described.toSorted()).toEqual(routesOfControllers().toSorted());
  });

  it('names each operation once, and each parameter of its path', () => {
    const ids = operations.map(({ operation }) => Reflect.get(operation, 'operationId') as string);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('getTenantExecutionsHistory');
    for (const { path, operation } of operations) {
      const parameters = Reflect.get(operation, 'parameters') as { in: string; name: string }[];
      const inPath = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    }
    expect(head).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/ops/cloacina' }] });
  });

  it('refers only to schemas that it has', () => {
    const text = JSON.stringify({ paths, components });
    const names = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(Object.keys(components.schemas)).toEqual(expect.arrayContaining(names));
  });

  it('has the schemas of the types as they are', async () => {
    expect(await openApiSchemas()).toBe(committedSchemas());
  });

  it('refuses a response that is not as described', () => {
    const of = { $ref: '#/components/schemas/CappedCount' };
    const problems = (value: object) => problemsOf(value, of, components.schemas);
    expect(problems({ count: 1, isCapped: false })).toEqual([]);
    expect(problems({ count: '1', isCapped: false })).toEqual(['$.count is string, not number']);
    expect(problems({ count: 1 })).toEqual(['$.isCapped is missing']);
    expect(problems({ count: 1, isCapped: false, secret: 1 })).toEqual([
      '$.secret is not described',
    ]);
  });
});
