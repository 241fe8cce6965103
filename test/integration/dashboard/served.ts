import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from '@jest/globals';
import type { CanActivate, ExecutionContext, INestApplication } from '@nestjs/common';
import { Module, VersioningType } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { DASHBOARD_CLOCK } from '../../../lib/dashboard/clock.js';
import type { CloacinaServerOptions } from '../../../lib/cloacina.options.js';
import type { CloacinaDashboardOptions } from '../../../lib/dashboard/dashboard-options.js';
import { CloacinaDashboardModule } from '../../../lib/dashboard/dashboard.module.js';
import { PageFiles } from '../../../lib/dashboard/page-files.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { systemClock, type Clock } from '../../../lib/runtime/clock.js';
import { databaseUrl } from '../../support/postgres.js';
import { assertDescribed, assertEventDescribed } from './described.js';
import { preparedSchema } from '../tenants/prepared-schema.js';

/** What `JSON.parse` returns. */
type Json = ReturnType<typeof JSON.parse>;

export type Platform = 'Express' | 'Fastify';

/** Users are known by a header. */
export class UserGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, unknown> }>();
    return headers['x-user'] !== undefined;
  }
}

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** A page that is as the built one: relative URLs, and a base that the server replaces. */
function pageDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'cloacina-page-'));
  directories.push(directory);
  mkdirSync(path.join(directory, 'assets'));
  const index = '<!doctype html><base href="./"><script src="./assets/page-1.js"></script>';
  writeFileSync(path.join(directory, 'index.html'), index);
  writeFileSync(path.join(directory, 'assets', 'page-1.js'), 'export {};');
  return directory;
}

/** The answer to a request. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Json;
}

/** An application with a dashboard, and calls of it as the user of a header. */
export class Served {
  private constructor(
    readonly app: INestApplication,
    readonly origin: string,
  ) {}

  static async start(
    platform: Platform,
    options: CloacinaDashboardOptions,
    workflows: readonly WorkflowDefinition[],
    page = pageDirectory(),
    clock: Clock = systemClock,
    servers?: Readonly<Record<string, CloacinaServerOptions>>,
  ): Promise<Served> {
    // The tenants are on the first server.
    const [server] = Object.keys(servers ?? {});
    const at = server === undefined ? {} : { server };
    const place = servers === undefined ? { databaseUrl: databaseUrl() } : { servers };
    const [acme, globex] = [await preparedSchema(), await preparedSchema()];
    @Module({
      imports: [
        CloacinaModule.forRoot({ ...place, maxContextSize: 8_000_000 }),
        CloacinaModule.forTenant({ tenant: 'acme', schema: acme, ...at }),
        CloacinaModule.forTenant({ tenant: 'globex', schema: globex, ...at }),
        CloacinaDashboardModule.register(options),
      ],
      providers: workflows.map((workflow) => ({ provide: workflow.name, useValue: workflow })),
    })
    class AppModule {}

    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(PageFiles)
      .useValue(new PageFiles(page))
      .overrideProvider(DASHBOARD_CLOCK)
      .useValue(clock)
      .compile();
    const app =
      platform === 'Express'
        ? module.createNestApplication(new ExpressAdapter(), { logger: false })
        : module.createNestApplication(new FastifyAdapter(), { logger: false });
    app.setGlobalPrefix('v');
    app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    return new Served(app, `http://127.0.0.1:${port}/v/ops/cloacina`);
  }

  async get(url: string, user: string | undefined = 'ann', headers: object = {}): Promise<Answer> {
    return this.answer(
      'get',
      url,
      await fetch(`${this.origin}${url}`, {
        headers: { ...(user === undefined ? {} : { 'x-user': user }), ...headers },
      }),
    );
  }

  async post(url: string, body: unknown = {}, user = 'ann', headers: object = {}): Promise<Answer> {
    return this.answer(
      'post',
      url,
      await fetch(`${this.origin}${url}`, {
        method: 'POST',
        headers: {
          'x-user': user,
          'x-cloacina-action': '1',
          'content-type': 'application/json',
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    );
  }

  /** All responses of the API are as they are described. */
  private async answer(method: 'get' | 'post', url: string, response: Response): Promise<Answer> {
    const answer = await answerOf(response);
    const [type = ''] = (answer.headers.get('content-type') ?? '').split(';');
    assertDescribed(method, url, { status: answer.status, type, body: answer.body });
    return answer;
  }

  /** Reads a stream until `found` returns a value for one of its events. */
  async event<T>(
    url: string,
    found: (event: { type: string; data: Json }) => T | undefined,
    user = 'ann',
  ): Promise<T> {
    const client = new AbortController();
    const response = await fetch(`${this.origin}${url}`, {
      headers: { 'x-user': user, accept: 'text/event-stream' },
      signal: client.signal,
    });
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    let text = '';
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`The stream ended: ${text}`);
        text += decoder.decode(value, { stream: true });
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          const type = /^event: (.*)$/m.exec(event)?.[1] ?? 'message';
          const data = /^data: (.*)$/m.exec(event)?.[1] ?? 'null';
          const parsed: Json = JSON.parse(data);
          assertEventDescribed(url, type, parsed);
          const wanted = found({ type, data: parsed });
          if (wanted !== undefined) return wanted;
        }
      }
    } finally {
      client.abort();
    }
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}
