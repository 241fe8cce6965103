import {
  Body,
  Controller,
  Inject,
  Module,
  Param,
  Post,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import { CloacinaTestingModule } from 'nestjs-cloacina/testing';
import { getRunnerToken } from '../../../lib/cloacina.tokens.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { TokenExpiredError } from '../../../lib/errors/index.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { CloacinaTokens } from '../../../lib/tenants/hosting/cloacina-tokens.js';
import { waitFor } from '../../support/wait-for.js';

const Callback = defineSignal<{ readonly state: string }>('provider callback');

/** The workflow of docs/signals.md. Its provider only remembers the tokens. */
@Workflow({ name: 'identity check' })
class IdentityCheck {
  readonly asked = new Map<string, string>();

  @Task()
  async check(context: TaskContext<{ state?: string; by?: string }>) {
    await context.step('ask', () => {
      this.asked.set(context.executionId, context.signalToken(Callback, { expiresIn: '1d' }));
    });
    const answer = await context.waitFor(Callback);
    return { state: answer.state, by: context.tenant };
  }
}

/** The controller of docs/signals.md. It knows neither the tenant nor the execution. */
@Controller('callbacks')
class CallbackController {
  constructor(@Inject(CloacinaTokens) private readonly tokens: CloacinaTokens) {}

  @Post(':token')
  complete(@Param('token') token: string, @Body() body: unknown) {
    return this.tokens.complete(token, body);
  }
}

/** A feature module that imports nothing of the library. */
@Module({ controllers: [CallbackController] })
class CallbackModule {}

@Module({
  imports: [
    CloacinaTestingModule.forTenants(
      ['acme', { tenant: 'globex', signalSecret: 'a secret that only globex has, 32 long' }],
      { signalSecret: 'the secret of all tenants but one, 32' },
    ),
    CallbackModule,
  ],
  providers: [IdentityCheck],
})
class AppModule {}

describe('CloacinaTokens in a controller', () => {
  let app: INestApplication;
  let url: string;
  beforeAll(async () => {
    app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    url = `http://127.0.0.1:${port}/callbacks`;
  });
  afterAll(() => app.close());

  async function ask(tenant: string) {
    const runner = app.get<CloacinaRunner>(getRunnerToken(tenant));
    const handle = await runner.start(IdentityCheck, {});
    const { asked } = app.get(IdentityCheck);
    return { handle, token: await waitFor(() => asked.get(handle.id)) };
  }

  async function post(token: string, body: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${url}/${token}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  it('wakes the execution of the tenant that the token names', async () => {
    const acme = await ask('acme');
    const globex = await ask('globex');
    for (const [tenant, { handle, token }] of Object.entries({ globex, acme })) {
      const completed = { tenant, executionId: handle.id };
      expect(await post(token, { state: `of ${tenant}` })).toEqual({
        status: 201,
        body: completed,
      });
      expect((await handle.result()).context).toEqual({ state: `of ${tenant}`, by: tenant });
      // The provider repeats itself.
      expect(await post(token, { state: 'again' })).toEqual({ status: 201, body: completed });
    }
  });

  it('refuses a token that another secret has signed', async () => {
    const { token } = await ask('acme');
    const tokens = app.get(CloacinaTokens);
    const [content] = token.split('.');
    await expect(tokens.complete(`${content}.${'0'.repeat(43)}`, {})).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
    });
    expect(await post(`${token}x`, { state: 'x' })).toMatchObject({
      status: 403,
      body: { statusCode: 403, message: 'Forbidden' },
    });
    expect((await post(token, { state: 'x' })).status).toBe(201);
  });

  it('refuses a token that has expired', async () => {
    const { token } = await ask('acme');
    const expired = new TokenExpiredError(new Date(0));
    const tokens = app.get(CloacinaTokens);
    const complete = jest.spyOn(tokens, 'complete').mockRejectedValue(expired);
    expect(await post(token, { state: 'x' })).toMatchObject({
      status: 410,
      body: { statusCode: 410, message: expired.message },
    });
    complete.mockRestore();
  });
});
